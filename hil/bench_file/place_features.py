"""The features of a place that a test can require: a table of names and meanings."""

from __future__ import annotations

FEATURES = {
    "cgla": "the modem has AT+CCHO, AT+CGLA and AT+CCHC",
    "csim": "the modem has AT+CSIM",
    "mbim": "the port is the modem's MBIM port",
    "qmi": "the port is the modem's QMI port",
    "pcsc": "the card is in a PC/SC reader",
    "t0": "the card speaks T=0",
    "t1": "the card speaks T=1",
    "test-ci": "the card names a test CI (SGP.26), so that the bench's own SM-DP+ may serve it",
    "network": "the place can reach the SM-DP+ servers of its codes",
    "registers": "the modem registers in a network with the profile that is enabled before the run",
    "data": "both profiles carry data through the applier in the bench's settings (network)",
}
"""Features that the bench file declares for a place."""

DERIVED = {
    "reader": "the bench file names a reader for the place",
    "modem": "the bench file names a port for the place",
    "power": "the place has a power switch",
    "codes": "there are codes for downloads, from a pool or from the bench's own SM-DP+",
    "server": "the bench's own SM-DP+ serves the place",
}
"""Features that follow from other keys of the bench file."""

KNOWN = FEATURES.keys() | DERIVED.keys()
