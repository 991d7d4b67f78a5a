"""Runs the benchmarks and judges them: bench/*/*.py, each with compare_all(rounds), which yields Comparisons."""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = ("benchmark", "ours", "baseline", "ratio (min-max)", "bound", "")


def benchmarks():
    """Name, such as tenancy/row_security, and file of each."""
    return {str(file.relative_to(HERE).with_suffix("")): file for file in sorted(HERE.glob("*/*.py"))}


def load(name, file):
    spec = importlib.util.spec_from_file_location(name.replace("/", "_"), file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def choose(names):
    everything = benchmarks()
    for name in names:
        if not any(known == name or known.endswith(f"/{name}") for known in everything):
            sys.exit(f"there is no benchmark {name!r}; there are {', '.join(everything)}")
    return {
        known: file
        for known, file in everything.items()
        if not names or known in names or known.rpartition("/")[2] in names
    }


def table(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    for name, *figures, verdict in rows:
        cells = [name.ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(figures, widths[1:])]
        print("  ".join([*cells, verdict]).rstrip())


def main():
    parser = argparse.ArgumentParser(prog="bench/run")
    parser.add_argument("--rounds", type=int, default=7, help="how often both sides are measured (default 7, at least 5)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as tenancy/row_security; without one, all")
    arguments = parser.parse_args()
    if arguments.rounds < 5:
        parser.error("a median of fewer than 5 rounds says nothing")

    comparisons = []
    failures = 0
    for name, file in choose(arguments.names).items():
        print(f"{name} ...", flush=True)
        try:
            for comparison in load(name, file).compare_all(arguments.rounds):
                comparisons.append(comparison)
                print("   ", "  ".join(comparison.row()), flush=True)
        except (subprocess.CalledProcessError, RuntimeError) as error:
            failures += 1
            reason = f"{error.cmd[0]} ended with status {error.returncode}" if hasattr(error, "cmd") else error
            print(f"    FAILED: {reason}", flush=True)

    missed = sum(comparison.missed for comparison in comparisons)
    print()
    table([HEADER, *(comparison.row() for comparison in comparisons)])
    print(f"\n{missed} bounds missed, {failures} benchmarks failed")
    sys.exit(1 if missed or failures else 0)


if __name__ == "__main__":
    main()
