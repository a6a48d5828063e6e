#!/bin/sh
# The runtime that this package brings; while dpkg is at work, or where it was cut, another one that is whole.
for runtime in /usr/lib/rnnedge/runtimes/@RUNTIME@ /usr/lib/rnnedge/runtimes/*; do
    if [ -e "$runtime/COMPLETE" ]; then
        PYTHONPATH="$runtime" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 -s -P -m @MODULE@ "$@"
    fi
done
echo "@NAME@: there is no whole runtime in /usr/lib/rnnedge/runtimes; install the package rnnedge again" >&2
exit 1
