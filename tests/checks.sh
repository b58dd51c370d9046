# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=sh
#
# For scripts of the host, sourced. They set dir, a directory of their own, which goes with them, with files out and err for the
# output of commands; CMD && CMD…; ok NAME prints the result of what stands before it as TAP, and if that
# failed what show prints, which a script may define anew. They end with finish.
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
n=0
failed=0

expect() { # expect STATUS PROGRAM ARG…: output to $dir/out, $dir/err
	want=$1
	shift
	"$@" >"$dir/out" 2>"$dir/err"
	got=$?
	[ $got = "$want" ] || { echo "# exit status $got, not $want: $*"; return 1; }
}
out() { grep -Eq -- "$1" "$dir/out"; }
err() { grep -Eq -- "$1" "$dir/err"; }
show() { cat "$dir/out" "$dir/err" 2>/dev/null; }
ok() {
	rc=$?
	n=$((n + 1))
	if [ $rc = 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		show | cut -c1-400 | sed 's/^/# /'
		failed=1
	fi
}
finish() {
	echo "1..$n"
	exit $failed
}
