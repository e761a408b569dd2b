"""`trust`: whom to trust beside the system's certificate authorities."""

from __future__ import annotations

from lpad.settings.quantities import Text
from lpad.settings.section import Section


class TrustSection(Section, frozen=True):
    """Whom to trust beside the system's certificate authorities."""

    extra_ca_files: list[Text] = []
