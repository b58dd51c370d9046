#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# launcher.sh: what qemu/vm promises about exit statuses, interruptions and leftovers. Boots small VMs without chips.
# shellcheck disable=SC2317 # functions are called through ok
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
export TMPDIR=$tmp/runs CHIPS=0 MODULES=0 RAM=512M
mkdir "$TMPDIR"
n=0 failed=0

ok() { # ok NAME CONDITION…
	local name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$tmp/out" "$tmp/err" 2>/dev/null | tail -n 30
		failed=1
	fi
}
vm() { # vm ARGS…: sets rc; output in $tmp/out and $tmp/err
	rc=0
	qemu/vm "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || rc=$?
}
# The processes of a run are found by its directory, which is in QEMU's and tail's arguments (a zombie has none any
# more); written so that this grep does not find itself.
processes() {
	grep -lz "$TMPDIR/hsl-v[m]" /proc/[0-9]*/cmdline 2>/dev/null
}
nothing_left() {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		[ -z "$(processes)" ] && [ -z "$(ls -A "$TMPDIR")" ] && return 0
		sleep 0.2
	done
	{ processes; ls -lA "$TMPDIR"; } >>"$tmp/err"
	return 1
}
no_process() {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		[ -z "$(processes)" ] && return 0
		sleep 0.2
	done
	return 1
}
wait_booted() { # until the command of a run in the background says that it is up; the launcher may have something to say, too
	local i
	for ((i = 0; i < 900; i++)); do
		grep -qx up "$1" && return 0
		sleep 0.1
	done
	return 1
}

# on a machine where nothing has been installed or built yet
strict() { # strict COMMANDS ARGS…: as the scripts run them
	bash -euo pipefail -c ". qemu/lib/common.sh; $1" strict "${@:2}" >"$tmp/out" 2>"$tmp/err"
}
ok 'a package that dpkg never heard of is missing, and no error' \
	strict 'm=$(missing_packages bash hsl-no-such-package); [ "$m" = "hsl-no-such-package " ]'
ok 'the copy of what goes into QEMU starts from nothing' \
	strict 'overlay_sync "$HSL_ROOT" "$1"; diff -r "$HSL_ROOT/qemu/model" "$1/qemu/model"' "$tmp/overlay"
touch "$tmp/overlay/qemu/model/old.c"
ok 'and forgets what is no longer there' \
	strict 'overlay_sync "$HSL_ROOT" "$1"; diff -r "$HSL_ROOT/qemu/model" "$1/qemu/model"' "$tmp/overlay"

# a source tree of one file, which its configure and ninja copy
src=$tmp/qemu-src
mkdir -p "$src"/{hw,qapi,configs/devices/x86_64-softmmu}
echo 7.2.0 >"$src/VERSION"
echo "  'hw/i2c'," >"$src/meson.build"
printf '%s\n' '# @RngProperties:' "    'iothread'," "      'iothread': 'IothreadProperties'," >"$src/qapi/qom.json"
touch "$src"/hw/{meson.build,Kconfig} "$src/main"
cat >"$src/configure" <<'END'
#!/bin/sh
printf 'rule cp\n command = cp $in $out && chmod +x $out\nbuild qemu-system-x86_64: cp %s/main\n' "$(dirname "$0")" >build.ninja
END
chmod +x "$src/configure"
build() { # build OPTION=VALUE…: sets rc and binary
	rc=0
	binary=$(env -u QEMU -u QEMU_SRC HSL_CACHE="$tmp/cache" "$@" qemu/build 2>"$tmp/err") || rc=$?
}
build SANITIZE=cached QEMU=/bin/true
ok 'a binary from elsewhere is none with sanitizers' test "$rc$binary" = 77
build SANITIZE=cached QEMU_SRC="$src"
ok 'nor is one built for a run that takes what there is' test "$rc$binary" = 77
build QEMU_SRC="$src"
plain=$binary
build SANITIZE=1 QEMU_SRC="$src"
ok 'a tree of its own has a build with and one without' test -x "$plain" -a -x "$binary" -a "$plain" != "$binary"
sanitized=$binary
build SANITIZE=cached QEMU_SRC="$src"
ok 'the one with is taken' test "$binary" = "$sanitized"
touch -d '+1 minute' "$src/main"
build SANITIZE=cached QEMU_SRC="$src"
ok 'until the tree is another' test "$rc$binary" = 77

vm RUN=true	# the first one with this QEMU probes KVM, and says so
vm RUN='echo "$HOME  a"; echo oops >&2; exit 7'
ok 'the exit status is the command'"'"'s' test $rc = 7
ok 'standard output arrives alone and whole' test "$(cat "$tmp/out")" = '/root  a'
ok 'standard error arrives apart' test "$(cat "$tmp/err")" = 'oops'
ok 'a finished run leaves nothing' nothing_left

vm -- seq 1 200000
ok 'long output arrives complete' cmp -s "$tmp/out" <(seq 1 200000)

vm RUN='su user -c "id -u"; test -r /host/Makefile && ! touch /host/x 2>/dev/null'
ok 'there is an unprivileged user and a read-only /host' test "$rc $(cat "$tmp/out")" = '0 1000'

vm RUN='echo l >/proc/sysrq-trigger; sleep 1; exit 0'
ok 'a kernel complaint fails a command that passed' test $rc = 70
ok 'and is shown' grep -q 'Call Trace' "$tmp/err"

vm RUN='mkdir /c && mount -t cgroup2 c /c && echo +memory >/c/cgroup.subtree_control && mkdir /c/x && echo 4M >/c/x/memory.max &&
	sh -c "echo 0 >/c/x/cgroup.procs; exec tail /dev/zero"; grep -q "^oom_kill [1-9]" /c/x/memory.events'
ok 'the OOM kill of a memory cgroup is no complaint' test $rc = 0
vm RUN='say() { for l; do echo "<3>$l" >/dev/kmsg; done; }
	say "a invoked oom-killer: x" "Call Trace:" "BUG: KASAN: the first" "Memory cgroup out of memory: x"
	say "a invoked oom-killer: x" "WARNING: the second" "b invoked oom-killer: x" "Call Trace:" "Memory cgroup out of memory: x"'
ok 'what another CPU reports in the middle of it is one' \
	sh -c "test $rc = 70 && grep -q 'BUG: KASAN: the first' '$tmp/err' && grep -q 'WARNING: the second' '$tmp/err'"

vm RUN='echo c >/proc/sysrq-trigger; sleep 60'
ok 'a panic ends the run at once' test $rc = 70

vm RUN='poweroff -f; sleep 60'
ok 'a guest that dies is told from a command that ended' test $rc = 72

vm RUN='sleep 60' TIMEOUT=1
ok 'the time limit' test $rc = 124

vm RUN=true BOOT_TIMEOUT=1
ok 'a guest that does not boot' test $rc = 71

HSL_BUILD=$tmp/none vm CHIPS=1 MODULES=1 RUN=true BOOT_TIMEOUT=1
ok 'without modules it says, before it boots, that there will be no driver' grep -q 'no hsl.ko has been built' "$tmp/err"

vm RUN=true EXTRA='-device hsl-no-such-device'
ok 'QEMU that does not start: status 3 and its message' \
	sh -c "test $rc = 3 && grep -q hsl-no-such-device '$tmp/err'"

for bad in MEM=1x MEM=64M MEM=65G CPUS=0 CHIPS=x TOPO=../x IOMMU=2 NOSUCH=1 ACCEL=fast KERNEL=0.1 REMOTE=1-2 OPEN=1M VECTORS=x VECTORS=1,2 'VECTORS=1,' MEM=1G,2G 'AMBIENT=25,'; do
	vm "$bad" RUN=true
	ok "$bad is refused" sh -c "test $rc = 2 && test -s '$tmp/err'"
done

qemu/vm RUN='echo up; sleep 2; exit 1' >"$tmp/out1" 2>&1 </dev/null &
one=$!
qemu/vm RUN='echo up; sleep 2; exit 2' >"$tmp/out2" 2>&1 </dev/null &
two=$!
rc1=0 rc2=0
wait $one || rc1=$?
wait $two || rc2=$?
ok 'two VMs side by side' test "$rc1 $rc2 $(cat "$tmp/out1") $(cat "$tmp/out2")" = '1 2 up up'
ok 'leave nothing' nothing_left

# job control gives the background run its own process group and a SIGINT that is not ignored, like a terminal's
set -m
: >"$tmp/out"
qemu/vm RUN='echo up; sleep 60' >"$tmp/out" 2>&1 </dev/null &
pid=$!
wait_booted "$tmp/out"
kill -INT -- -$pid
rc=0
wait $pid || rc=$?
ok 'ctrl-C ends a run' test $rc = 130
ok 'and leaves no process and no file' nothing_left

: >"$tmp/out"
qemu/vm RUN='echo up; sleep 60' QMP="$TMPDIR/qmp" >"$tmp/out" 2>&1 </dev/null &
pid=$!
wait_booted "$tmp/out"
kill -TERM $pid
rc=0
wait $pid || rc=$?
ok 'SIGTERM ends a run' test $rc = 143
ok 'and leaves no socket either' nothing_left

: >"$tmp/out"
qemu/vm RUN='echo up; sleep 60' >"$tmp/out" 2>&1 </dev/null &
pid=$!
wait_booted "$tmp/out"
kill -KILL $pid
wait $pid 2>/dev/null
set +m
ok 'kill -9 of the launcher takes QEMU along' no_process
ok 'its directory stays, nobody could remove it' test -n "$(ls -A "$TMPDIR")"
vm RUN='exit 4'
ok 'the next start works' test $rc = 4
ok 'and removes the leftover' nothing_left

echo "1..$n"
exit $failed
