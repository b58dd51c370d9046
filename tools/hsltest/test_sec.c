/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * SEC: one context against another. The victim holds memory full of a pattern; the attacker is a
 * second context in this process and, on the driver, another process that is not root. After each
 * attack every byte is compared.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define NOBODY 65534

/* A context of its own with a queue and a buffer; ht's helpers work on it. */
static struct ht attacker_new(struct ht *t)
{
	struct ht a = *t;

	a.f = ht_open_again(t);
	a.info.size = sizeof(a.info);
	HT_OK(t, hsl_fabric_info(a.f, &a.info));
	HT_TRUE(t, a.info.ctx_index != t->info.ctx_index || !a.kernel,
		"two contexts have the same index %u", a.info.ctx_index);
	return a;
}

/* Commands on GAs of the victim, from every chip; at, before and behind the segment, and in its
 * middle. */
static void attack_by_command(struct ht *a, uint64_t ga, uint64_t len)
{
	const uint64_t where[] = { ga, ga + 1, ga + len / 2, ga + len - 64 };
	struct hsl_queue *q;
	struct ht_buf mine;
	struct hsl_op op;
	unsigned int i, k;

	ht_buf_new(a, &mine, a->chip[0].node, 4096);
	for (k = 0; k < a->nchips && k < 4; k++) {
		q = ht_queue_new(a, a->chip[k].node, 0);
		for (i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
			op = ht_op_fill(where[i], 64, 0);
			ht_expect(a, q, &op, HSL_ST_SEGMENT, "FILL of another context's memory");
			op = ht_op_copy(where[i], mine.ga, 64);
			ht_expect(a, q, &op, HSL_ST_SEGMENT, "COPY into another context's memory");
			op = ht_op_copy(mine.ga, where[i], 64);
			ht_expect(a, q, &op, HSL_ST_SEGMENT,
				  "COPY out of another context's memory");
		}
		ht_buf_check(a, &mine, "attacker's memory after refused reads");
		ht_queue_free(a, q);
	}
	ht_buf_free(a, &mine);
}

static void other_context(struct ht *t)
{
	struct ht_buf v, h;
	struct hsl_queue *q;
	struct ht a;

	ht_buf_new(t, &v, t->chip[t->nchips - 1].node, 64 * KIB);
	ht_buf_new_host(t, &h, 64 * KIB, 9, HSL_RIGHT_RW);
	q = ht_queue_new(t, t->chip[0].node, 0);
	ht_copy(t, q, &v, 0, &h, 0,
		1000); /* the chips have the victim's entries in their caches now */
	a = attacker_new(t);
	attack_by_command(&a, v.ga, v.len);
	attack_by_command(&a, h.ga, h.len);
	ht_buf_check(t, &v, "victim's chip memory");
	ht_buf_check(t, &h, "victim's host memory");
	/* the owner is not disturbed */
	ht_copy(t, q, &h, 0, &v, 0, 5000);
	ht_buf_check(t, &h, "victim's COPY after the attack");
	hsl_fabric_close(a.f);
	ht_queue_free(t, q);
	ht_buf_free(t, &v);
	ht_buf_free(t, &h);
}

/* Handles and mappings of a stranger through the driver's interface. */
static void attack_by_ioctl(struct ht *t, int fd, uint64_t ga, uint64_t len, uint32_t handle)
{
	struct hsl_segment_info i = { .size = sizeof(i), .handle = handle };
	struct hsl_segment_free f = { .size = sizeof(f), .handle = handle };
	void *p;

	HT_RC(t, ht_ioctl(fd, HSL_IOC_SEGMENT_INFO, &i), -ENOENT);
	HT_RC(t, ht_ioctl(fd, HSL_IOC_SEGMENT_FREE, &f), -ENOENT);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)ga);
	HT_TRUE(t, p == MAP_FAILED, "mmap of another context's segment at GA %#" PRIx64 " worked",
		ga);
	HT_TRUE(t, errno == ENXIO, "mmap of another context's segment: expected ENXIO, got %s",
		strerror(errno));
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (off_t)(ga + len - 4096));
	HT_TRUE(t, p == MAP_FAILED, "mmap of the last page of another context's segment worked");
}

static void stranger_process(struct ht *t)
{
	struct ht_buf v;
	int fd, pid, i;
	struct ht a;

	ht_buf_new(t, &v, t->chip[0].node, 64 * KIB);
	for (i = 0; i < 2; i++) { /* as we are; then, if we are root, as nobody */
		if (i && geteuid())
			break;
		pid = fork();
		HT_TRUE(t, pid >= 0, "fork: %s", strerror(errno));
		if (!pid) {
			ht_step(t, "attack by uid %u", i ? NOBODY : geteuid());
			/* opened before the rights are dropped: the node may be closed to nobody,
			 * which is not the point */
			fd = ht_raw_open(t);
			a = attacker_new(t);
			if (i && (setgid(NOBODY) || setuid(NOBODY)))
				HT_FAIL_TEST(t, "setuid: %s", strerror(errno));
			attack_by_ioctl(t, fd, v.ga, v.len, hsl_segment_handle(v.seg));
			attack_by_command(&a, v.ga, v.len);
			_exit(0);
		}
		ht_child_join(t, pid);
		ht_buf_check(t, &v, "victim's memory after the attack of another process");
	}
	ht_step(t, "victim again");
	ht_buf_free(t, &v);
}

/* A victim's handle is nothing in a second context of the same process either, even where the
 * numbers meet. */
static void stranger_context(struct ht *t)
{
	struct ht a = attacker_new(t);
	struct ht_buf v, mine;
	void *p;

	ht_buf_new(t, &v, t->chip[0].node, 64 * KIB);
	ht_buf_new(&a, &mine, t->chip[0].node, 64 * KIB);
	HT_TRUE(t, v.ga >= mine.ga + mine.len || mine.ga >= v.ga + v.len,
		"two contexts were given the same memory");
	ht_buf_check(&a, &mine, "attacker's own memory");
	ht_buf_check(t, &v, "victim's memory");
	attack_by_command(&a, v.ga, v.len);
	/* closing the attacker's context frees what is his, and that alone */
	hsl_fabric_close(a.f);
	ht_buf_check(t, &v, "victim's memory after the other context is closed");
	HT_OK(t, hsl_segment_map(v.seg, &p));
	HT_TRUE(t, p == v.p, "mapping moved");
	free(mine.shadow);
	ht_buf_free(t, &v);
}

static void freed_is_zero(struct ht *t)
{
	uint64_t len = 4 * MIB, seen = 0, i;
	unsigned int round;
	struct hsl_segment *s;
	struct hsl_queue *q;
	struct ht_buf h;
	struct ht a;
	void *p;

	/* the next owner is another context, which reads by CPU and by command, at once after the
	 * owner let go */
	a = attacker_new(t);
	ht_buf_new(&a, &h, 0, len);
	q = ht_queue_new(&a, t->chip[0].node, 0);
	for (round = 0; round < 16; round++) {
		uint64_t ga;

		HT_OK(t, hsl_segment_alloc(t->f, t->chip[0].node, len, NULL, &s));
		ga = hsl_segment_ga(s);
		HT_OK(t, hsl_segment_map(s, &p));
		memset(p, 0xe5, len);
		HT_OK(t, hsl_segment_free(s));
		HT_OK(t, hsl_segment_alloc(a.f, t->chip[0].node, len, NULL, &s));
		seen += hsl_segment_ga(s) == ga;
		if (round & 1) {
			HT_OK(t, hsl_copy(q, h.ga, hsl_segment_ga(s), len));
			p = h.p;
		} else {
			HT_OK(t, hsl_segment_map(s, &p));
		}
		for (i = 0; i < len; i++) {
			if (((volatile uint8_t *)p)[i])
				HT_FAIL_TEST(t,
					     "round %u: byte %" PRIu64
					     " of freed memory is 0x%02x for the next owner",
					     round, i, ((volatile uint8_t *)p)[i]);
		}
		HT_OK(t, hsl_segment_free(s));
	}
	ht_note(t, "the very same memory came back %" PRIu64 " times of %u", seen, round);
	ht_queue_free(&a, q);
	ht_buf_free(&a, &h);
	hsl_fabric_close(a.f);
}

/* What a user may map: his chip memory on the context file, his rings and his doorbell on a queue
 * file. Nothing else. */
static void only_own_pages(struct ht *t)
{
	static const uint64_t offsets[] = {
		0,
		0x1000,
		0x8000,
		0x10000,
		0x20000,
		0x100000,
		1ull << 30,
		1ull << 40,
		HSL_QUEUE_MMAP_DOORBELL,
		HSL_QUEUE_MMAP_DOORBELL + 0x1000,
		HSL_QUEUE_MMAP_DOORBELL + 0x10000,
		HSL_QUEUE_MMAP_DOORBELL - 0x1000,
	};
	int fd = ht_raw_open(t);
	struct ht_rawq q;
	unsigned int i;
	uint64_t len;
	void *p;

	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offsets[i]);
		HT_TRUE(t, p == MAP_FAILED,
			"mmap of the context file at %#" PRIx64 " worked without a segment there",
			offsets[i]);
	}
	for (i = 0; i < t->nchips; i++) {
		p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (off_t)HSL_GA(t->chip[i].node, 0));
		HT_TRUE(t, p == MAP_FAILED, "mmap of chip %u's first page worked without a segment",
			t->chip[i].node);
	}
	ht_rawq_new(t, &q, fd, t->chip[0].node, 16);
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		if (offsets[i] < q.ring_bytes ||
		    (offsets[i] >= HSL_QUEUE_MMAP_DOORBELL &&
		     offsets[i] < HSL_QUEUE_MMAP_DOORBELL + q.doorbell_bytes))
			continue;
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, q.fd, (off_t)offsets[i]);
		HT_TRUE(t, p == MAP_FAILED,
			"mmap of a queue file at %#" PRIx64
			", where neither rings nor doorbell are, worked",
			offsets[i]);
	}
	/* longer than what is there: the next queue's doorbell page, the page behind the rings */
	for (len = q.doorbell_bytes + 4096; len <= 1 * MIB && q.doorbell_bytes; len *= 2) {
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, q.fd,
			 HSL_QUEUE_MMAP_DOORBELL);
		HT_TRUE(t, p == MAP_FAILED,
			"mmap of %" PRIu64 " bytes of doorbell worked, the page has %" PRIu64, len,
			q.doorbell_bytes);
	}
	p = mmap(NULL, q.ring_bytes + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, q.fd,
		 HSL_QUEUE_MMAP_RINGS);
	HT_TRUE(t, p == MAP_FAILED, "mmap of more than the rings worked");
	/* the doorbell page shows nothing of other queues: STATE is this queue's, the rest reads as
	 * zero */
	for (i = 0x18; q.doorbell && i < 4096; i += 4)
		HT_EQ(t, "undefined register of the doorbell page",
		      *(volatile uint32_t *)(q.doorbell + i), 0);
	ht_rawq_free(&q);
	close(fd);
}

static void mapping_rights(struct ht *t)
{
	struct hsl_segment_alloc ro = { .size = sizeof(ro),
					.node = t->chip[0].node,
					.rights = HSL_SEGMENT_READ,
					.len_bytes = 8192 };
	int fd = ht_raw_open(t);
	uint32_t handle;
	uint64_t ga;
	void *p, *m;

	ga = ht_raw_alloc(t, fd, t->chip[0].node, 8192, &handle);
	HT_OK(t, ht_ioctl(fd, HSL_IOC_SEGMENT_ALLOC, &ro));

	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, (off_t)ga);
	HT_TRUE(t, p == MAP_FAILED && errno == EINVAL, "MAP_PRIVATE: expected EINVAL, got %s",
		p == MAP_FAILED ? strerror(errno) : "a mapping");
	p = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_SHARED, fd, (off_t)ga);
	HT_TRUE(t, p == MAP_FAILED && errno == EACCES, "PROT_EXEC: expected EACCES, got %s",
		p == MAP_FAILED ? strerror(errno) : "a mapping");
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)ro.ga);
	HT_TRUE(t, p == MAP_FAILED && errno == EACCES,
		"PROT_WRITE of a read-only segment: expected EACCES, got %s",
		p == MAP_FAILED ? strerror(errno) : "a mapping");
	p = mmap(NULL, 12288, PROT_READ, MAP_SHARED, fd, (off_t)ga);
	HT_TRUE(t, p == MAP_FAILED && errno == ENXIO,
		"longer than the segment: expected ENXIO, got %s",
		p == MAP_FAILED ? strerror(errno) : "a mapping");

	p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, (off_t)ro.ga);
	HT_TRUE(t, p != MAP_FAILED, "mmap of a read-only segment: %s", strerror(errno));
	HT_TRUE(t, mprotect(p, 8192, PROT_READ | PROT_WRITE) && errno == EACCES,
		"mprotect gave WRITE to a read-only segment");
	HT_TRUE(t, mprotect(p, 8192, PROT_READ | PROT_EXEC), "mprotect gave EXEC");
	munmap(p, 8192);

	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)ga);
	HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
	m = mremap(p, 8192, 16384, MREMAP_MAYMOVE);
	HT_TRUE(t, m == MAP_FAILED, "mremap made a mapping grow past its segment");
	HT_TRUE(t, errno == EFAULT, "mremap growth: expected EFAULT, got %s", strerror(errno));
	*(volatile uint32_t *)p = 1; /* and the mapping still is there */
	munmap(p, 8192);
	close(fd);
}

/* Dies with work in flight, at a random moment; afterwards chips, queues and memory are as before.
 */
static void killed_process(struct ht *t)
{
	enum { ROUNDS = 12, OPS = 64 };
	struct hsl_chip_props before[HT_CHIPS_MAX], p = { .size = sizeof(p) };
	unsigned int i, round;
	struct hsl_queue *q;
	struct ht_buf v;
	int pid, status, go[2];
	char c;

	ht_buf_new(t, &v, t->chip[0].node, 256 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (i = 0; i < t->nchips; i++) {
		before[i].size = sizeof(before[i]);
		HT_OK(t, hsl_chip_by_index(t->f, i, &before[i]));
	}
	for (round = 0; round < ROUNDS; round++) {
		HT_TRUE(t, !pipe(go), "pipe: %s", strerror(errno));
		pid = fork();
		HT_TRUE(t, pid >= 0, "fork: %s", strerror(errno));
		if (!pid) {
			struct hsl_op ops[OPS];
			struct hsl_queue *qs[2];
			struct ht_buf b, h;
			struct ht a = attacker_new(t);

			ht_buf_new(&a, &b, t->chip[round % t->nchips].node, 16 * MIB);
			ht_buf_new(&a, &h, 0, 4 * MIB);
			for (i = 0; i < 2; i++)
				qs[i] = ht_queue_new(&a, t->chip[(round + i) % t->nchips].node,
						     OPS);
			for (i = 0; i < OPS; i++)
				ops[i] = i & 1 ? ht_op_fill(b.ga, b.len, i)
					       : ht_op_copy(h.ga, b.ga, h.len);
			for (i = 0; i < 2; i++)
				ht_submit_all(&a, qs[i], ops, OPS);
			if (write(go[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		close(go[1]);
		HT_TRUE(t, read(go[0], &c, 1) == 1,
			"the process to be killed did not get to its work: %s", t->shared->reason);
		close(go[0]);
		usleep((unsigned int)ht_random_below(t, 3000));
		kill(pid, SIGKILL);
		ht_step(t, "round %u: waiting for the killed process", round);
		HT_TRUE(t, waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
		ht_step(t, "round %u: after the kill", round);
		HT_OK(t, hsl_nop(q));
		ht_buf_check(t, &v, "another context's memory");
		for (i = 0; i < t->nchips; i++) {
			/* the last reference may go a moment after the process; zeroing takes its
			 * time */
			ht_wait_free(t, before[i].node, before[i].mem_free_bytes, before[i].nqueues_free);
			HT_OK(t, hsl_chip_by_index(t->f, i, &p));
			HT_EQ(t, "state of the chip", p.state, before[i].state);
		}
	}
	ht_queue_free(t, q);
	ht_buf_free(t, &v);
}

/*
 * Thousands of random descriptors: valid ones, valid ones with a field broken, and noise. Whatever
 * they do, memory of another context stays as it is and another queue is served.
 */
static void random_commands(struct ht *t)
{
	enum { BATCH = 32, BATCHES = 200 };
	struct hsl_completion c[BATCH];
	struct hsl_op ops[BATCH];
	unsigned int i, n, k, counts[HSL_ST_COUNT] = { 0 };
	struct hsl_queue *q, *other;
	struct ht_buf v[2], mine[3];
	struct ht a;

	ht_buf_new(t, &v[0], t->chip[t->nchips - 1].node, 256 * KIB);
	ht_buf_new(t, &v[1], 0, 256 * KIB);
	other = ht_queue_new(t, t->chip[0].node, 0);
	a = attacker_new(t);
	for (k = 0; k < 3; k++)
		ht_buf_new(&a, &mine[k], k == 2 ? 0 : t->chip[k ? t->nchips - 1 : 0].node,
			   128 * KIB);
	q = ht_queue_new(&a, t->chip[0].node, BATCH);
	for (n = 0; n < BATCHES; n++) {
		for (i = 0; i < BATCH; i++) {
			struct ht_buf *d = &mine[ht_random_below(t, 3)],
				      *s = &mine[ht_random_below(t, 3)];
			uint64_t bits = ht_random(t);

			ops[i] = bits & 1 ? ht_op_copy(d->ga + (bits >> 8 & 0xffff),
						       s->ga + (bits >> 24 & 0xffff),
						       bits >> 40 & 0xffff)
					  : ht_op_fill(d->ga + (bits >> 8 & 0xffff),
						       bits >> 40 & 0xffff, bits);
			ops[i].cookie = bits;
			switch (bits >> 60) {
			case 0: ops[i].dst = v[bits & 1].ga + (bits >> 8 & 0xfff); break;
			case 1: ops[i].src = v[bits & 1].ga + (bits >> 8 & 0xfff); break;
			case 2: ops[i].dst ^= 1ull << (bits & 63); break;
			case 3: ops[i].src ^= 1ull << (bits & 63); break;
			case 4: ops[i].len ^= 1ull << (bits & 63); break;
			case 5: ops[i].opcode = (uint8_t)bits; break;
			case 6: ops[i].order = (uint8_t)bits; break;
			case 7: ops[i].arg1 = bits; break;
			case 8:
				ops[i].dst = ht_random(t);
				ops[i].src = ht_random(t);
				ops[i].len = ht_random(t) >> (bits & 63);
				break;
			default: break;
			}
		}
		ht_submit_all(t, q, ops, BATCH);
		if (n % 8 == 0)
			HT_OK(t, hsl_nop(other));
		ht_wait_all(t, q, c, BATCH);
		for (i = 0; i < BATCH; i++) {
			HT_TRUE(t, c[i].status < HSL_ST_COUNT, "unknown status %u", c[i].status);
			HT_TRUE(t, c[i].status != HSL_ST_INTERNAL && c[i].status != HSL_ST_GONE,
				"status %s for opcode %u, dst %#" PRIx64 ", src %#" PRIx64
				", len %#" PRIx64,
				hsl_status_name(c[i].status), ops[i].opcode, ops[i].dst, ops[i].src,
				ops[i].len);
			counts[c[i].status]++;
		}
		if (n % 50 == 0) {
			ht_buf_check(t, &v[0], "another context's chip memory");
			ht_buf_check(t, &v[1], "another context's host memory");
		}
	}
	ht_buf_check(t, &v[0], "another context's chip memory");
	ht_buf_check(t, &v[1], "another context's host memory");
	HT_TRUE(t, counts[HSL_ST_OK] && counts[HSL_ST_SEGMENT],
		"%u commands were OK and %u refused: not a mixture", counts[HSL_ST_OK],
		counts[HSL_ST_SEGMENT]);
	ht_note(t, "%u commands, %u ok, %u no-segment, %u range", BATCH * BATCHES,
		counts[HSL_ST_OK], counts[HSL_ST_SEGMENT], counts[HSL_ST_RANGE]);
	ht_queue_free(&a, q);
	for (k = 0; k < 3; k++)
		ht_buf_free(&a, &mine[k]);
	hsl_fabric_close(a.f);
	ht_queue_free(t, other);
	ht_buf_free(t, &v[0]);
	ht_buf_free(t, &v[1]);
}

const struct ht_test ht_tests_sec[] = {
	{ "HEP-SEC-001", "other_context", "commands on another context's memory fail with SEGMENT",
	  other_context, 0, 0 },
	{ "HEP-SEC-002", "stranger_context",
	  "contexts of one process are apart, also when one closes", stranger_context, 0, 0 },
	{ "HEP-SEC-002", "stranger_process", "another process, also not root, gets at nothing",
	  stranger_process, HT_F_KERNEL, 0 },
	{ "HEP-SEC-004", "freed_is_zero", "the next context reads zero from freed memory",
	  freed_is_zero, 0, 0 },
	{ "HEP-SEC-005", "only_own_pages", "no register or foreign doorbell can be mapped",
	  only_own_pages, HT_F_KERNEL, 0 },
	{ "HEP-SEC-006", "killed_process", "a killed process leaves a working chip and no rest",
	  killed_process, HT_F_KERNEL, 180 },
	{ "HEP-SEC-007", "mapping_rights",
	  "mappings are shared, not executable, within rights, do not grow", mapping_rights,
	  HT_F_KERNEL, 0 },
	{ "HEP-SEC-008", "random_commands",
	  "random descriptors harm neither memory nor other queues", random_commands, 0, 120 },
	{ 0 }
};
