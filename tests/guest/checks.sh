# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=sh
#
# For scripts of the VM, sourced. They set out, a file for the output of commands; CMD && CMD…; ok NAME prints the result of what
# stands before it as TAP, with the output of the last run if that failed. They end with finish.
n=0
failed=0

# What doctor has said; a kernel may have no hwmon.
healthy() {
	! grep -v ' temperature: Operation not supported$' "$out" | grep -Eq '^(FAIL|NOT CHECKED)'
}

ok() {
	rc=$?
	n=$((n + 1))
	if [ $rc = 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$out"
		failed=1
	fi
}
run() { # run STATUS CMD…
	want=$1
	shift
	"$@" >"$out" 2>&1
	got=$?
	[ $got = "$want" ] || { echo "# exit status $got, not $want: $*"; return 1; }
}
has() { grep -Eq -- "$1" "$out"; }
until_out() { # until_out TIMES PATTERN FILE: this many lines have it, within 20 s
	for _ in $(seq 200); do
		[ "$(grep -Ec -- "$2" "$3")" -ge "$1" ] && return
		usleep 100000
	done
	return 1
}
finish() {
	echo "1..$n"
	exit $failed
}
