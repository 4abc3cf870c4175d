"""Run unit files on MicroPython: micropython run_on_micropython.py FILE...

Each file is imported and its `test_...` functions are called in the order of their names, with
a collected heap before each. A failing test does not stop the others; the exit status is 1 if
there was one, or if there was no test at all.
"""

import gc
import sys


def _split(path):
    """Return (folder, name of the module) of a Python file."""
    folder, _, name = ("./" + path).rpartition("/")
    if path.startswith("/"):
        folder = folder[2:]
    return folder or "/", name[:-3]


def _run_file(path):
    """Run the tests of one file, return (passed, failed)."""
    folder, name = _split(path)
    sys.path.insert(0, folder)
    passed = failed = 0
    try:
        module = __import__(name)
        for test in sorted(dir(module)):
            function = getattr(module, test)
            if not test.startswith("test_") or not callable(function):
                continue
            gc.collect()
            try:
                function()
                print("ok", test)
                passed += 1
            except Exception as problem:
                print("FAIL", test)
                sys.print_exception(problem, sys.stdout)
                failed += 1
    except Exception as problem:
        print("FAIL", path, "cannot be imported")
        sys.print_exception(problem, sys.stdout)
        failed += 1
    sys.path.pop(0)
    sys.modules.pop(name, None)
    return passed, failed


def main(paths):
    """Run the files, print the closing line, return the exit status."""
    root = _split(__file__)[0] + "/.."
    sys.path[:] = [root + "/host_tests/unit", root, root + "/lib", ".frozen"]
    passed = failed = 0
    for path in paths:
        print("#", path)
        more = _run_file(path)
        passed += more[0]
        failed += more[1]
    print(passed, "passed,", failed, "failed")
    return 1 if failed or not passed else 0


sys.exit(main(sys.argv[1:]))
