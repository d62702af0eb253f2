"""The documentation is held against the program and the tree.

- Every relative link of every page leads to a file that is there.
- Every `asof …` line in a code block names a command that exists, and only options that its --help lists.
- Every page under docs/ is reached from the README, so that nobody has to know that it exists.
"""

import os
import pathlib
import re
import shlex
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASOF = os.environ["ASOF"]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def pages():
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("asof/**/README.md")])


def links(page):
    for target in LINK.findall(page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def command_lines(page):
    """The `asof …` lines of a page's code blocks, without comments, pipes and continuations."""
    inside = False
    text = page.read_text().replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
            continue
        if not inside:
            continue
        for part in re.split(r"&&|\||;", line):
            part = part.strip().removeprefix("$ ").split(" #")[0].strip().removesuffix("&").strip()
            if re.match(r"asof(\s|$)", part):
                yield number, part


def help_of(*command):
    done = subprocess.run([ASOF, *command, "--help"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class Docs(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        for page in pages():
            for target in links(page):
                with self.subTest(page=str(page.relative_to(ROOT)), link=target):
                    self.assertTrue((page.parent / target).exists(), "there is no such file")

    def test_every_command_line_is_one(self):
        known = {}
        seen = 0
        for page in pages():
            for number, line in command_lines(page):
                try:
                    words = shlex.split(line)[1:]
                except ValueError:
                    continue  # half of a quoted SQL text
                while words and words[0].startswith("-"):
                    words = words[2:] if words[0] in ("-C", "--now") else words[1:]
                if not words or not re.fullmatch(r"[a-z][a-z-]*", words[0]):
                    continue  # a synopsis: `asof COMMAND`
                seen += 1
                with self.subTest(page=str(page.relative_to(ROOT)), line=number, command=line):
                    if words[0] not in known:
                        known[words[0]] = help_of(words[0])
                    status, text = known[words[0]]
                    self.assertEqual(status, 0, "the program knows no such command")
                    _, general = known.setdefault("", help_of())
                    for word in words[1:]:
                        option = re.match(r"\[?(--[a-z][a-z-]*)", word)
                        if option:
                            self.assertIn(option.group(1), text + general)
        self.assertGreater(seen, 12)

    def test_every_page_is_reached_from_the_readme(self):
        reached, waiting = set(), [ROOT / "README.md"]
        while waiting:
            page = waiting.pop()
            if page in reached or not page.exists():
                continue
            reached.add(page)
            for target in links(page):
                path = (page.parent / target).resolve()
                if path.is_dir():
                    waiting.extend(path.glob("*.md"))
                elif path.suffix == ".md":
                    waiting.append(path)
        missing = [str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md") if p not in reached]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
