#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# demo.sh: what `make demo` shows, in the VM: the fabric, the conformance report, a short benchmark.
failed=

step() { # step TITLE CMD…
	printf '\n==== %s\n     $ ' "$1"
	shift
	printf '%s ' "$@"
	printf '\n\n'
	"$@" || {
		echo "     (exit status $?)"
		failed="$failed, $*"
	}
}

step 'the chips of this fabric' hslctl list
step 'how they are connected' hslctl topo
step 'is everything healthy?' hslctl doctor
step 'conformance to the HSL Emulated Profile' hsltest run --table
step 'bandwidth' hslbench bw --quick
step 'latency' hslbench lat --quick
step 'rate of commands' hslbench rate --quick

echo
if [ -n "$failed" ]; then
	echo "demo: FAILED: ${failed#, }"
	exit 1
fi
echo "demo: all steps passed"
