# A Yocto recipe for lpad, for meta-python. Never built; see docs/fleet.md.
SUMMARY = "eSIM profile daemon for gateways (LPA, GSMA SGP.22)"
DESCRIPTION = "Downloads, enables and switches the eSIM profiles of an unattended device"
SECTION = "net"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=${LPAD_LICENSE_MD5}"

# set these in your layer: where you keep the source, its page, and the checksum of its LICENSE
HOMEPAGE = "${LPAD_HOMEPAGE}"
SRC_URI = "${LPAD_SOURCE}"
S = "${UNPACKDIR}/git"

inherit python_hatchling systemd useradd

RDEPENDS:${PN} += "\
    python3-asyncio python3-click python3-core python3-ecdsa python3-h11 python3-httpcore python3-msgspec \
    python3-prometheus-client python3-pyserial python3-pyyaml python3-rich python3-sqlite3 python3-starlette \
    python3-uvicorn \
"

USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system lpad; --system lpad-read"
USERADD_PARAM:${PN} = "--system --gid lpad --groups dialout --home-dir ${localstatedir}/lib/lpad --no-create-home lpad"
SYSTEMD_SERVICE:${PN} = "lpad.socket lpad.service"

do_install:append() {
    install -d ${D}${sysconfdir}/lpad/lpad.yaml.d ${D}${sysconfdir}/lpad/trust.d ${D}${systemd_system_unitdir}
    install -m 0640 ${S}/config/lpad.yaml ${D}${sysconfdir}/lpad/lpad.yaml
    install -m 0644 ${S}/systemd/lpad.service ${S}/systemd/lpad.socket ${D}${systemd_system_unitdir}
    install -D -m 0644 ${S}/systemd/tmpfiles.d/lpad.conf ${D}${nonarch_libdir}/tmpfiles.d/lpad.conf
    install -D -m 0644 ${S}/systemd/udev/70-lpad.rules ${D}${nonarch_base_libdir}/udev/rules.d/70-lpad.rules
}

CONFFILES:${PN} = "${sysconfdir}/lpad/lpad.yaml"
