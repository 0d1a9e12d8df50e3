"""Set the project up and run one of its tasks: `python3 tasks.py figures | test | lab | bench | site`.

Needs nothing but Python 3.11 or newer: the first start makes `.venv` (see installation.py), later ones find it.
This file and installation.py keep to the syntax of Python 3.6, so that an older Python says in one line
that it is too old.
"""

import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from installation import ROOT, Stop, clean_variables, prepare, say, uv

VERBS = {
    "figures": "redraw the published figures, then train the quick profile (--profile, --redraw)",
    "test": "check style, types and behaviour; further arguments go to pytest",
    "lab": "open the notebooks in JupyterLab",
    "bench": "measure speed side by side with other packages",
    "site": "build the notebooks as web pages in site/",
}
HIDDEN_VERBS = ("lock",)  # renew requirements/*.txt from the ranges in pyproject.toml
EXTRA_OF_VERB = {"test": "test", "bench": "test", "site": "site"}
NOT_IN_LOCKS = ("torch==", "nvidia-", "cuda-", "triton==")
OLDEST, TOO_NEW = (3, 11), (3, 15)
USAGE = """usage: python3 tasks.py [--cuda] [--torch-index URL] VERB [arguments of the verb]

{verbs}

torch is the CPU build. For an NVIDIA GPU: python3 tasks.py --cuda figures (several GB more).
--torch-index URL (or REPLICATION_TORCH_INDEX) names another index of torch builds, such as a mirror."""


def main(arguments: list) -> int:
    """Install what is missing, then run the verb; returns the exit code (2: something for the user to mend)."""
    try:
        require_python(sys.version_info[:2])
        verb, rest, cuda, index = read_arguments(arguments)
        if verb == "help":
            print(USAGE.format(verbs="\n".join(f"  {name:8} {text}" for name, text in VERBS.items())))
            return 0
        python = prepare(EXTRA_OF_VERB.get(verb, ""), cuda, index)
        return run_verb(verb, rest, python)
    except Stop as problem:
        print(f"tasks.py: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tasks.py: interrupted; the same command goes on", file=sys.stderr)
        return 130


def require_python(version: tuple) -> None:
    """Refuse a Python for which there are no locked packages, naming one that would do if there is one."""
    if OLDEST <= version < TOO_NEW:
        return
    names = [f"python3.{minor}" for minor in range(OLDEST[1], TOO_NEW[1])]
    found = [name for name in names if shutil.which(name)]
    advice = f"start it with {found[0]} tasks.py" if found else "install one, for example Python 3.11"
    raise Stop(f"this is Python {version[0]}.{version[1]}, but 3.11 to 3.14 is needed; {advice}")


def read_arguments(arguments: list) -> tuple:
    """(verb, its arguments, CUDA wanted, index of torch builds)."""
    rest, cuda, index = list(arguments), "--cuda" in arguments, os.environ.get("REPLICATION_TORCH_INDEX", "")
    if cuda:
        rest.remove("--cuda")
    if "--torch-index" in rest:
        at = rest.index("--torch-index")
        if at + 1 == len(rest):
            raise Stop("--torch-index needs the address of an index of torch builds")
        index = rest[at + 1]
        del rest[at : at + 2]
    if rest and rest[0] in ("-h", "--help", "help"):
        return "help", [], cuda, index
    if not rest or (rest[0] not in VERBS and rest[0] not in HIDDEN_VERBS):
        raise Stop(unknown_verb(rest[0] if rest else ""))
    return rest[0], rest[1:], cuda, index


def unknown_verb(given: str) -> str:
    close = difflib.get_close_matches(given, VERBS, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    what = f"unknown verb {given!r}{hint}" if given else "a verb is missing"
    return "{}; known: {}".format(what, ", ".join(VERBS))


def run_verb(verb: str, rest: list, python: str) -> int:
    if verb == "test":
        return run_tests(rest, python)
    if verb == "site":
        return build_site(rest, python)
    if verb == "lock":
        return renew_locks()
    commands = {
        "figures": ["-m", "replication", "figures"],
        "lab": ["-m", "jupyterlab", "--ServerApp.root_dir={}".format(ROOT / "notebooks")],
        "bench": [str(ROOT / "benchmarks" / "run.py")],
    }
    return become([python] + commands[verb] + rest)


def become(command: list) -> int:
    """Run `command` in the project folder in place of this process, so that signals reach it."""
    os.chdir(str(ROOT))
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, clean_variables())
    return subprocess.call(command, env=clean_variables())


def run_tests(rest: list, python: str) -> int:
    """Style, types, then pytest, whose closing line comes last whatever the others found."""
    checks = {
        "ruff check": ["-m", "ruff", "check", "."],
        "ruff format": ["-m", "ruff", "format", "--check", "."],
        "mypy": ["-m", "mypy"],
    }
    failed = []
    for name, command in checks.items():
        say(name)
        if subprocess.call([python, *command], cwd=str(ROOT), env=clean_variables()):
            failed.append(name)
    if not failed:
        return become([python, "-m", "pytest", *rest])
    say("FAILED: {} (above), so the exit code will not be 0; now pytest".format(", ".join(failed)))
    return subprocess.call([python, "-m", "pytest", *rest], cwd=str(ROOT), env=clean_variables()) or 1


def build_site(rest: list, python: str) -> int:
    """README and executed notebooks as pages; nothing is run, and a failed build leaves the old pages."""
    pages = [ROOT / "README.md", *sorted((ROOT / "notebooks").glob("*.ipynb"))]
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder, "source"), Path(folder, "built")
        shutil.copytree(str(ROOT / "figures"), str(source / "figures"))
        for page in pages:
            shutil.copy(str(page), str(source))
        lines = ["# Replication", "", "```{toctree}"] + [page.stem for page in pages] + ["```", ""]
        (source / "index.md").write_text("\n".join(lines))
        command = [python, "-m", "sphinx", "-q", "-C", "-b", "html", "-d", str(Path(folder, "trees"))]
        for setting in ("extensions=myst_nb", "html_theme=furo", "nb_execution_mode=off", "project=Replication"):
            command += ["-D", setting]
        if subprocess.call([*command, *rest, str(source), str(built)], env=clean_variables()):
            return 1
        shutil.rmtree(str(ROOT / "site"), ignore_errors=True)
        shutil.move(str(built), str(ROOT / "site"))
    say("the pages start at site/index.html")
    return 0


def renew_locks() -> int:
    """Resolve everything once, then cut the lock of each purpose from it, so that all agree."""
    folder = ROOT / "requirements"
    with tempfile.TemporaryDirectory() as temporary:
        everything = Path(temporary, "everything.txt")
        extras = ["--extra", "test", "--extra", "grid", "--extra", "site"]
        everything.write_text(resolve([*extras, "-c", str(folder / "torch.txt")]))
        for name in ("lock", "test", "grid", "site"):
            pins = resolve((["--extra", name] if name != "lock" else []) + ["-c", str(everything)])
            kept = [line for line in pins.splitlines() if not line.startswith(NOT_IN_LOCKS)]
            header = "# Made by `python3 tasks.py lock`; torch itself is in torch.txt."
            (folder / f"{name}.txt").write_text("\n".join([header, *kept]) + "\n")
    return 0


def resolve(arguments: list) -> str:
    """Exact versions for the ranges of pyproject.toml, for Linux, macOS and Windows."""
    command = uv("compile", "--universal", "--python-version", "3.11", "--no-header", "--no-annotate", "--quiet")
    command += ["pyproject.toml", *arguments]
    done = subprocess.run(command, cwd=str(ROOT), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Stop("the ranges of pyproject.toml could not be resolved (reason above)")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
