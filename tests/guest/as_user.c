// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * as_user UID COMMAND...: run a command without root's rights, as busybox has nothing for that. Memory may be locked as
 * a user is normally allowed on machines for this work (64 MiB). By itself it is no test: without arguments it skips.
 */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rlimit lim = { 64 << 20, 64 << 20 };
	unsigned int id;

	if (argc < 3) {
		printf("1..0 # SKIP usage: as_user UID COMMAND...\n");
		return 77;
	}
	id = (unsigned int)atoi(argv[1]);
	if (setrlimit(RLIMIT_MEMLOCK, &lim) || setgroups(0, NULL) || setgid(id) || setuid(id)) {
		perror("as_user");
		return 3;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 3;
}
