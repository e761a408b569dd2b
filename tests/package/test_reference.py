"""The page of the API's reference, which is made from the OpenAPI document."""

from __future__ import annotations

import json
import re

from lpad.api.openapi import document
from lpad.api.routes import ROUTES
from package.reference import page

DOCUMENT = document(ROUTES)
PAGE = page(DOCUMENT)


def test_each_operation_is_on_the_page() -> None:
    """Each API operation has a heading, summary, description, parameters, statuses and examples."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            _, _, rest = PAGE.partition(f"\n### `{method.upper()} {path}`\n")
            section = re.split(r"\n##+ ", rest)[0]
            assert operation["summary"] in section
            assert operation["description"] in section
            assert all(f"| `{each['name']}` |" in section for each in operation["parameters"])
            assert all(f"- **{status}**" in section for status in operation["responses"])
            for content in operation.get("requestBody", {}).get("content", {}).values():
                assert json.dumps(content["example"], indent=2) in section


def test_each_schema_is_on_the_page() -> None:
    """Each schema has a heading and a row for each field, and links lead to such headings."""
    headings = set(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE))
    assert headings == DOCUMENT["components"]["schemas"].keys()
    assert set(re.findall(r"\]\(#(\w+)\)", PAGE)) <= {name.lower() for name in headings}
    for name, schema in DOCUMENT["components"]["schemas"].items():
        section = re.split(r"\n##+ ", PAGE.partition(f"\n### {name}\n")[2])[0]
        assert all(f"| `{field}` |" in section for field in schema.get("properties", {}))


def test_the_tables_are_whole() -> None:
    """Each table row of the page has the right number of cells."""
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert len(rows) > 500
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {4, 5}
