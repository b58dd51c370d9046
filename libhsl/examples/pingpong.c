// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * pingpong: two processes that share nothing but a socket meet in the memory of a chip, and then play ball by SIGNAL and WAIT.
 *
 * usage: pingpong [URL]
 *
 * The server allocates memory and exports it: a file descriptor stands for it, which a UNIX socket carries to the
 * client (SCM_RIGHTS). The client imports it and has a segment of its own context with the same GA. Each plays on a chip of its
 * own: it signals the other's word and waits for its own. A sim: fabric lives in one process, so there the two are threads.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hsl/hsl.h>

#define ROUNDS		1000u
#define TIMEOUT_NS	60000000000ull

struct player {
	const char *url;
	int sock;
	unsigned int index;		/* 0 server, 1 client; also of the chip it plays on */
	int result;
};

#define CHECK(call)								\
	do {									\
		int err_ = (call);						\
		if (err_ < 0) {							\
			fprintf(stderr, "pingpong: player %u: %s: %s\n",	\
				me->index, #call, strerror(-err_));		\
			exit(1);						\
		}								\
	} while (0)

/* Send a file descriptor, or receive one (fd < 0): one byte of data carries it. */
static int pass_fd(int sock, int fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} u = { .room = { 0 } };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = u.room, .msg_controllen = sizeof(u.room) };

	if (fd < 0) {
		if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&m))
			return -ECONNRESET;
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
		return fd;
	}
	u.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&u.h), &fd, sizeof(fd));
	return sendmsg(sock, &m, 0) == 1 ? 0 : -errno;
}

static void *play(void *arg)
{
	struct player *me = arg;
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_segment *table;
	struct hsl_fabric *f;
	struct hsl_queue *q;
	uint64_t mine, other, seen = 0;
	int fd;

	CHECK(hsl_fabric_open(me->url, &f));
	CHECK(hsl_chip_by_index(f, 0, &p));
	if (me->index == 0) {
		CHECK(hsl_segment_alloc(f, p.node, 4096, NULL, &table));
		CHECK(hsl_segment_export(table, HSL_RIGHT_RW, 0, &fd));
		CHECK(pass_fd(me->sock, fd));
	} else {
		fd = pass_fd(me->sock, -1);
		CHECK(fd);
		CHECK(hsl_segment_import(f, fd, 0, &table));
		/* the second chip, if there is one */
		hsl_chip_by_index(f, 1, &p);
	}
	close(fd);
	CHECK(hsl_queue_create(f, p.node, NULL, &q));
	mine = hsl_segment_ga(table) + 64 * me->index;
	other = hsl_segment_ga(table) + 64 * (1 - me->index);

	for (uint64_t i = 1; i <= ROUNDS; i++) {
		if (me->index == 0)
			CHECK(hsl_signal(q, HSL_SIGNAL_ADD, other, 1, NULL));
		CHECK(hsl_wait_value(q, HSL_WAIT_GE, mine, i, TIMEOUT_NS, &seen));
		if (me->index == 1)
			CHECK(hsl_signal(q, HSL_SIGNAL_ADD, other, 1, NULL));
		/* the other one cannot be ahead: it waits for us */
		if (seen != i) {
			fprintf(stderr, "pingpong: player %u saw %llu in round %llu\n", me->index, (unsigned long long)seen,
				(unsigned long long)i);
			exit(1);
		}
	}
	hsl_fabric_close(f);
	me->result = 0;
	return NULL;
}

int main(int argc, char **argv)
{
	const char *url = argc > 1 ? argv[1] : getenv("HSL_FABRIC") ? getenv("HSL_FABRIC") : "/dev/hsl0";
	struct player server = { url, -1, 0, 1 }, client = { url, -1, 1, 1 };
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock)) {
		perror("pingpong: socketpair");
		return 1;
	}
	server.sock = sock[0];
	client.sock = sock[1];
	if (!strncmp(url, "sim:", 4)) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, play, &client))
			return 1;
		play(&server);
		pthread_join(thread, NULL);
	} else {
		/* fork first: a child must not use its parent's fabric */
		pid_t child = fork();
		int status = 1;

		if (child < 0)
			return 1;
		if (!child) {
			close(sock[0]);
			play(&client);
			_exit(client.result);
		}
		close(sock[1]);
		play(&server);
		if (waitpid(child, &status, 0) != child || status)
			return 1;
		client.result = 0;
	}
	if (server.result || client.result)
		return 1;
	printf("pingpong: %u rounds between two %s\n", ROUNDS, strncmp(url, "sim:", 4) ? "processes" : "threads");
	return 0;
}
