#!/usr/bin/python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Breaks copies of conf/ as mutations.yaml says, each in one place, and wants the test named there to fail and say why.

mutations.py SCRATCH
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))


def broken_copy(mutation, copy, path):
    shutil.copytree("conf", copy)
    with open(path) as file:
        text = file.read()
    count = text.count(mutation["replace"])
    if count != 1:
        return f"stands there {count} times, not once"
    with open(path, "w") as file:
        file.write(text.replace(mutation["replace"], mutation["with"]))
    return None


def survives(numbered, scratch):
    """Why a mutation isn't noticed as it should be; None where it is."""
    number, mutation = numbered
    copy = os.path.join(scratch, f"conf-{number}")
    path = os.path.join(copy, mutation["file"])
    problem = broken_copy(mutation, copy, path)
    if problem:
        return problem
    test = [os.path.join(HERE, mutation["test"] + ".sh"), copy]
    if mutation["test"] == "manifests":
        test.append(path)  # rendering all the others takes nearly all of the time, and they say nothing else
    ended = subprocess.run(test, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    shutil.rmtree(copy)
    if ended.returncode == 0:
        return f"the test {mutation['test']} passes"
    if ended.returncode == 77 or mutation["says"] not in ended.stdout:
        return f"the test {mutation['test']} doesn't say so, but: {ended.stdout}"
    return None


def main():
    scratch = sys.argv[1]
    with open(os.path.join(HERE, "mutations.yaml")) as file:
        mutations = yaml.safe_load(file)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = list(pool.map(lambda numbered: survives(numbered, scratch), enumerate(mutations)))
    for mutation, problem in zip(mutations, problems):
        if problem:
            print(f"{mutation['file']}: {mutation['replace']!r} -> {mutation['with']!r}: {problem}")
    print(f"{len(mutations)} mutations, {sum(problem is None for problem in problems)} noticed")
    sys.exit(1 if any(problems) else 0)


if __name__ == "__main__":
    main()
