#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# clang-tidy over the plugin, as a build of its own: the second run looks only at what changed. `tidy.sh all`, for the night (`make
# tidy`): each file by itself (preset `tidy`), which takes seven seconds a file. A test looks at what changed since the day before
# HEAD's, by the groups that are compiled together (preset `tidy-groups`): fifteen seconds for sixteen files.
# From version 16 on it can read libstdc++'s <ranges>; -D_Bool=bool in tidy_one is for bpftool's skeletons.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v clang-tidy-19 >/dev/null || { echo "skipped: clang-tidy 19 decides, and isn't here"; exit 77; }
if [ "${1:-}" = all ]; then
    cmake --preset tidy >/dev/null
    nice cmake --build --preset tidy
    exit
fi
cmake --preset tidy-groups >/dev/null

# day_before: the last commit of an earlier day than HEAD's; nothing where there is none, or no history.
day_before()
{
    local day
    day=$(git log -1 --format=%cd --date=format:%Y-%m-%d 2>/dev/null) || return 0
    git rev-list -1 --first-parent --before="$day 00:00:00" HEAD
}

# reader_of <header>: one file that reads it; its own, where it has one.
reader_of()
{
    local name=${1#include/}
    name=${name#plugin/}
    local own=plugin/${name#sallyport/}
    own=${own%.*}.cpp
    if [ -e "$own" ]; then echo "$own"; else grep -rlF --include='*.cpp' "${name##*/}\"" plugin | sort | head -1; fi
}

# group_of <source>: what ninja compiles it as.
group_of()
{
    local group
    group=$(grep -lF "/$1\"" build/tidy-groups/CMakeFiles/*/Unity/*.cxx) || group=$PWD/$1
    echo "$(realpath "$group")^"
}

since=$(day_before)
if [ -z "$since" ] || ! git diff --quiet "$since" -- .clang-tidy test/lint/tidy_one; then
    nice ninja -C build/tidy-groups sallyport
    exit
fi
sources=$(git diff --name-only --diff-filter=d "$since" -- plugin include | while read -r file; do
    case $file in
        *.cpp) echo "$file" ;;
        *.h | *.hpp) reader_of "$file" ;;
    esac
done | sort -u)
echo "since $(git log -1 --format='%h of %cd' --date=short "$since"):" ${sources:-nothing}
[ -z "$sources" ] || nice ninja -C build/tidy-groups $(for source in $sources; do group_of "$source"; done | sort -u)
