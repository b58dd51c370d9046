// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What sysfs and the kernel's uevents tell of a chip, as docs/abi/sysfs-hsl says it: change when its state or a link changes, with the
 * state that it has then; remove and add with the chip; poll() on the attribute state. As root in the VM.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/common/raw.h"

#define CHIP "/sys/bus/hsl/devices/hsl0-1"
#define WAIT 20000 /* ms until what has to come is given up */
#define QUIET 300 /* ms without an uevent: what came before is all told */

static char fabric_id[40], function[256]; /* of the chip, on the PCI bus */
static int uevents;

struct uevent {
	char action[16], state[16], node[8], fabric[40];
};

static void first_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");

	if (!f || !fgets(buf, (int)size, f))
		raw_bail(path);
	fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
}

static int uevents_open(void)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		raw_bail("a socket for uevents");
	return fd;
}

/* The next one of the chip: of any action, or of this one. */
static bool next_uevent(const char *action, struct uevent *u)
{
	static const char suffix[] = "/hsl0-1";
	struct pollfd p = { .fd = uevents, .events = POLLIN };
	char text[4096];
	ssize_t n;

	while (poll(&p, 1, WAIT) == 1 && (n = recv(uevents, text, sizeof(text) - 1, 0)) > 0) {
		char *at = strchr(text, '@'), *end = text + n;
		size_t len;

		*end = '\0';
		len = strlen(text);
		if (!at || len < sizeof(suffix) || strcmp(text + len - sizeof(suffix) + 1, suffix))
			continue;
		*u = (struct uevent){ 0 };
		snprintf(u->action, sizeof(u->action), "%.*s", (int)(at - text), text);
		for (char *v = text; v < end; v += strlen(v) + 1) {
			sscanf(v, "HSL_STATE=%15s", u->state);
			sscanf(v, "HSL_NODE=%7s", u->node);
			sscanf(v, "HSL_FABRIC=%39s", u->fabric);
		}
		if (!action || !strcmp(u->action, action))
			return true;
	}
	return false;
}

/* Drop those of what was done before. */
static void quiet(void)
{
	struct pollfd p = { .fd = uevents, .events = POLLIN };
	char text[4096];

	while (poll(&p, 1, QUIET) == 1 && recv(uevents, text, sizeof(text), 0) > 0)
		;
}

static bool is(const struct uevent *u, const char *action, const char *state)
{
	if (!strcmp(u->action, action) && (!state || !strcmp(u->state, state)) && !strcmp(u->node, "1") && !strcmp(u->fabric, fabric_id))
		return true;
	printf("# %s HSL_STATE=%s HSL_NODE=%s HSL_FABRIC=%s\n", u->action, u->state, u->node, u->fabric);
	return false;
}

static void of_function(const char *file, const char *text)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", function, file);
	if (raw_write_file(path, text))
		raw_bail(path);
}

/* The attribute as it reads now, after which poll() waits for another. */
static bool reads(int fd, const char *want)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n > 0 && !strncmp(text, want, strlen(want)) && text[strlen(want)] == '\n';
}

static void a_reset(void)
{
	struct pollfd p = { .fd = open(CHIP "/state", O_RDONLY | O_CLOEXEC), .events = POLLPRI };
	struct uevent down, up;

	raw_check(reads(p.fd, "ready") && poll(&p, 1, 0) == 0, "state is ready, and poll() waits");
	of_function("reset", "1");
	raw_check(next_uevent(NULL, &down) && is(&down, "change", "resetting") && next_uevent(NULL, &up) && is(&up, "change", "ready"),
		  "a reset: change with resetting, then with ready");
	raw_check(poll(&p, 1, WAIT) == 1 && p.revents & POLLPRI && reads(p.fd, "ready") && poll(&p, 1, 0) == 0,
		  "poll() on state has woken, until it was read");
	close(p.fd);
}

/* It goes down when hslctl starts and comes up when that ends. */
static void a_link(void)
{
	struct uevent down, up;
	pid_t hslctl;

	if (access("/sys/kernel/debug/hsl/hsl0/chip1/ctf", F_OK)) {
		raw_check(true, "a link # SKIP no test facility in debugfs");
		return;
	}
	quiet();
	hslctl = fork();
	if (!hslctl) {
		(void)!freopen("/dev/null", "w", stdout);
		execlp("hslctl", "hslctl", "inject", "--node", "1", "link", "down", NULL);
		_exit(1);
	}
	raw_check(next_uevent(NULL, &down) && is(&down, "change", "ready"), "a link that goes down: change, of a chip that is ready");
	quiet();
	kill(hslctl, SIGINT);
	raw_check(next_uevent(NULL, &up) && is(&up, "change", "ready"), "a link that comes up: change, of a chip that is ready");
	waitpid(hslctl, NULL, 0);
}

/* A child that sleeps in poll() on the attribute when this returns: its exit status is 0 if it is woken. */
static pid_t sleeper(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	char path[32], where[128] = "";
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* not by a timeout of poll(), which looks once more and finds the file gone */
		alarm(WAIT / 1000);
		_exit(!(poll(&p, 1, -1) == 1 && p.revents & POLLPRI));
	}
	snprintf(path, sizeof(path), "/proc/%d/wchan", (int)pid);
	for (int i = 0; i < WAIT && !strstr(where, "poll"); i++) {
		raw_sleep_us(1000);
		first_line(path, where, sizeof(where));
	}
	if (!strstr(where, "poll"))
		raw_bail("a child asleep in poll()");
	return pid;
}

static void leaving(void)
{
	int fd = open(CHIP "/state", O_RDONLY | O_CLOEXEC), status = -1;
	const char *address = strrchr(function, '/') + 1;
	bool ready = reads(fd, "ready");
	pid_t pid = sleeper(fd);
	struct uevent u;

	raw_check(ready && !raw_write_file("/sys/bus/pci/drivers/hsl_pci/unbind", address) && next_uevent("remove", &u) &&
		  is(&u, "remove", NULL), "unbind: remove");
	raw_check(waitpid(pid, &status, 0) == pid && !status, "who sleeps in poll() on state is woken");
	raw_check(pread(fd, &u, sizeof(u), 0) < 0 && errno == ENODEV, "state, still open: ENODEV");
	close(fd);
	raw_check(!raw_write_file("/sys/bus/pci/drivers/hsl_pci/bind", address) && next_uevent("add", &u) && is(&u, "add", NULL), "bind: add");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!realpath(CHIP "/..", function))
		raw_bail(CHIP);
	first_line("/sys/class/hsl/hsl0/fabric_id", fabric_id, sizeof(fabric_id));
	uevents = uevents_open();
	a_reset();
	a_link();
	leaving();
	return raw_done();
}
