"""lpad: the Local Profile Assistant daemon of an IoT gateway (GSMA SGP.22)."""

__version__ = "0.3.0.dev0"
