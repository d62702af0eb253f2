#!/usr/bin/env python3
"""Keeps the code in documents equal to the code that is tested.

Between `<!-- cut: FILE [marker] -->` and `<!-- end -->` a Markdown file holds what stands in FILE between two lines `// [marker]`.
Without an option the documents are written; with --check nothing is, and a difference is an error.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CUT = re.compile(r"(<!-- cut: (\S+) \[(\w+)\] -->\n```(\w+)\n).*?(```\n<!-- end -->)", re.S)


def snippet(path: str, marker: str) -> str:
    parts = re.split(rf"^// \[{marker}\]\n", (ROOT / path).read_text(), flags=re.M)
    if len(parts) != 3:
        raise SystemExit(f"{path}: wanted two lines '// [{marker}]', met {len(parts) - 1}")
    return parts[1]


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    stale = []
    for document in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]):
        text = document.read_text()
        cut = CUT.sub(lambda m: m[1] + snippet(m[2], m[3]) + m[5], text)
        if cut == text:
            continue
        stale.append(document.relative_to(ROOT))
        if not check:
            document.write_text(cut)
    if check and stale:
        print(f"{', '.join(map(str, stale))}: not the code that is tested; run tools/cut_snippets.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
