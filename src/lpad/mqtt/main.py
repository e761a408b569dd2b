"""lpad-mqtt: brings lpad's events to an MQTT broker, and the broker's commands to lpad."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

import lpad
from lpad.base.errors import InvalidSettings
from lpad.base.redaction import redacted
from lpad.mqtt.mqtt_settings import DEFAULT_FILE, read_settings

EXIT_SETTINGS = 78
"""The exit code for wrong settings (EX_CONFIG of sysexits.h); systemd then does not restart lpad-mqtt."""
_EPILOG = """\
exit codes:
  0   ended by a signal, or the settings are valid (--check)
  1   paho-mqtt is not installed
  2   wrong arguments
  78  the settings, or the files that they name, cannot be used
"""


class _RedactingFormatter(logging.Formatter):
    """Shortens identifiers and codes, as lpad's own log does: a backend may use them in a command's ID."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the log line with shortened identifiers and codes."""
        return redacted(super().format(record))


def main(arguments: list[str] | None = None) -> None:
    """Run the service until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="lpad-mqtt",
        description="Brings lpad's events to an MQTT broker, and the broker's commands to lpad.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"settings file (default: {DEFAULT_FILE})",
    )
    parser.add_argument("--check", action="store_true", help="check the settings and exit")
    parser.add_argument("--version", action="version", version=f"lpad-mqtt, version {lpad.__version__}")
    asked = parser.parse_args(arguments)
    try:
        settings = read_settings(asked.config)
        settings.password(asked.config.parent)
        if asked.check:
            sys.stdout.write(f"{asked.config} is valid\n")
            return
        from lpad.mqtt.service import Service  # noqa: PLC0415 - --check needs no library

        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        service = Service(settings, folder=asked.config.parent)
    except InvalidSettings as error:
        sys.stderr.write(f"{error.sentence}\n")
        sys.exit(EXIT_SETTINGS)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "paho":
            raise
        sys.stderr.write("lpad-mqtt needs paho-mqtt: install it with pip install 'lpad[mqtt]'\n")
        sys.exit(1)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    service.start()
    ended.wait()
    service.stop()


if __name__ == "__main__":
    main()
