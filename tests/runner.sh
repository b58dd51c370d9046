#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# runner.sh: tests/run must not call anything passed that did not pass. Runs it on manifests of programs made up here.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/tests" "$tmp/build"
mkdir "$tmp/qemu"
ln -s "$PWD/qemu/lib" "$tmp/qemu/lib"
cp tests/run "$tmp/tests/run"
# stands in for a VM: RUN on the host
cat >"$tmp/qemu/vm" <<'END'
#!/bin/bash
for o; do
	case $o in RUN=*) exec timeout 60 bash -c "${o#RUN=}" ;; esac
done
END
chmod +x "$tmp/qemu/vm"
n=0 failed=0
unset HSL_BUILD

expect() { # expect NAME STATUS LASTLINE MANIFEST [ARGS…]
	local name=$1 status=$2 last=$3 manifest=$4 rc=0
	shift 4
	printf '%b' "$manifest" >"$tmp/tests/manifest"
	HSL_BUILD=$tmp/build "$tmp/tests/run" "${@:-fast}" >"$tmp/out" 2>&1 </dev/null || rc=$?
	n=$((n + 1))
	if [ "$rc" = "$status" ] && [ "$(tail -n 1 "$tmp/out")" = "$last" ]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "# expected status $status and '$last', got status $rc and:"
		sed 's/^/# /' "$tmp/out"
		failed=1
	fi
}

tap() { # a program that prints these lines and exits with $1
	local rc=$1 f
	shift
	f=$(mktemp "$tmp/prog.XXXXXX")
	{
		echo '#!/bin/sh'
		printf "echo '%s'\n" "$@"
		echo "exit $rc"
	} >"$f"
	chmod +x "$f"
	echo "$f"
}

meet() { # meet A B: two entries that end only if they run at once
	echo "$1 TIMEOUT=20 -- touch $tmp/a; until [ -e $tmp/b ]; do sleep 0.1; done\\n$2 TIMEOUT=20 -- touch $tmp/b; until [ -e $tmp/a ]; do sleep 0.1; done\\n"
}

# every run counts one more: that the manifest names all test files
expect 'exit 0 is one pass' 0 '2 passed, 0 failed' 'fast host a -- true\n'
expect 'exit 1 is one failure' 1 '1 passed, 1 failed' 'fast host a -- false\n'
expect 'exit 77 is a skip' 0 '1 passed, 0 failed, 1 skipped' 'fast host a -- exit 77\n'
expect 'a program that is not there fails' 1 '1 passed, 1 failed' 'fast host a -- /no/such/program\n'
expect 'TAP results are counted' 0 '4 passed, 0 failed' "fast host a -- $(tap 0 1..3 'ok 1 - a' 'ok 2 - b' 'ok 3 - c')\n"
expect 'TAP failures are counted' 1 '2 passed, 1 failed' "fast host a -- $(tap 1 1..2 'ok 1' 'not ok 2 - b')\n"
expect 'not ok fails even with status 0' 1 '2 passed, 1 failed' "fast host a -- $(tap 0 1..2 'ok 1' 'not ok 2 - b')\n"
expect 'all ok but a bad status fails' 1 '2 passed, 1 failed' "fast host a -- $(tap 3 1..1 'ok 1')\n"
expect 'a short plan fails' 1 '2 passed, 1 failed' "fast host a -- $(tap 0 1..2 'ok 1')\n"
expect 'TAP skips are not passes' 0 '2 passed, 0 failed, 1 skipped' \
	"fast host a -- $(tap 0 1..2 'ok 1' 'ok 2 - b # SKIP no such device')\n"
expect 'a failure is no skip' 1 '2 passed, 1 failed' "fast host a -- $(tap 77 1..2 'ok 1' 'not ok 2 - b')\n"
expect 'nothing planned is a skip' 0 '1 passed, 0 failed, 1 skipped' "fast host a -- $(tap 0 '1..0 # SKIP no tool')\n"
expect 'a table is no TAP' 1 '1 passed, 1 failed' "fast host a -- $(tap 1 'ok    all' 'not ok at all')\\n"
expect 'a killed program fails' 1 '1 passed, 1 failed' 'fast host a -- kill -9 $$\n'
expect 'the time limit fails' 1 '1 passed, 1 failed' 'fast host a TIMEOUT=1 -- sleep 30\n'
expect 'other tiers do not run' 0 '2 passed, 0 failed' 'fast host a -- true\nsoak host b -- false\ncheck host c -- false\n'
expect 'check includes fast' 1 '2 passed, 1 failed' 'fast host a -- true\ncheck host c -- false\n' check
expect 'a selection that matches nothing fails' 1 '0 passed, 1 failed' 'fast host a -- true\n' fast nosuch
expect 'a selection' 0 '1 passed, 0 failed' 'fast host a -- true\nfast host b -- false\n' fast a
expect 'one that takes longer' 1 '3 passed, 1 failed' \
	'check host a -- sleep 1; false\nfast host b -- true\nfast host c -- true\n' check
n=$((n + 1))
if [ "$(grep -oE '^(not )?ok [0-9]+ - .' "$tmp/out" | tr '\n' ' ')" = 'ok 1 - m not ok 2 - a ok 3 - b ok 4 - c ' ]; then
	echo "ok $n - results are told in the order of the manifest"
else
	echo "not ok $n - results are told in the order of the manifest"
	failed=1
fi
if [ "$(nproc)" -gt 1 ]; then
	expect 'two run at once' 0 '3 passed, 0 failed' "$(meet 'fast host a' 'fast host b')"
fi
said() { # said NAME PATTERN: in the output of the run before
	n=$((n + 1))
	if grep -qE "$2" "$tmp/out"; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$tmp/out"
		failed=1
	fi
}
expect 'a kernel that complains fails what passed' 1 '3 passed, 1 failed' \
	"check guest a -- $(tap 70 1..2 'ok 1' 'ok 2')\n" check
said 'and is told' '^not ok 2 - a .*: the kernel complained'
expect 'a VM whose time is over fails' 1 '1 passed, 1 failed' 'check guest a -- exit 124\n' check
said 'and is told' '^not ok 2 - a .*: time limit'
expect 'a VM that does not boot fails' 1 '2 passed, 1 failed' 'check guest a -- exit 71\ncheck guest b -- true\n' check
said 'that one only' '^ok 3 - b '
if [ "$(nproc)" -gt 1 ] && awk '/^MemAvailable:/ { exit $2 < 8 * 1048576 }' /proc/meminfo; then
	rm -f "$tmp"/[ab]
	expect 'two VMs run at once' 0 '3 passed, 0 failed' "$(meet 'check guest a' 'check guest b')" check
	rm -f "$tmp"/[ab]
	expect 'and a VM beside the last host entry' 0 '3 passed, 0 failed' "$(meet 'check guest a' 'check host b')" check
fi
expect 'not where VMs may be large' 0 '3 passed, 0 failed' \
	"deep guest a -- touch $tmp/running; sleep 1; rm $tmp/running\ndeep guest b -- ! test -e $tmp/running\n" deep
expect 'many short ones are all counted' 0 '201 passed, 0 failed' "$(for i in {1..200}; do echo "check host t$i -- true\\n"; done | tr -d '\n')" check
# what is left to whoever runs tests: the kernel, the way to run it, and QEMU
options=$(sed -n "/^OPTIONS='/,/ '\$/p" qemu/vm | tr -d "'" | sed 's/^OPTIONS=//' | tr -s '[:space:]' '\n' |
	grep -vxE 'ACCEL|KERNEL|KDIR|QEMU|QEMU_SRC|QEMU_VERSION')
for o in $options; do export "$o=90"; done
expect 'options of the VM in the environment reach no test' 0 '2 passed, 0 failed' \
	"check guest a -- for o in $(echo $options); do ! printenv \$o || exit; done\n" check
for o in $options; do unset "$o"; done
mkdir -p "$tmp/tests/unit"
: >"$tmp/tests/unit/test_forgotten.c"
expect 'a test file that the manifest forgets fails' 1 '1 passed, 1 failed' 'fast host a -- true\n'
expect 'and is no failure once named' 0 '2 passed, 0 failed' 'fast host a -- : build/asan/tests/unit/test_forgotten\n'
echo "1..$n"
exit $failed
