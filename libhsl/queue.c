// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Queues: the ring protocol, the same on every backend (docs/hep.md section 5).
 *
 * Submission. Descriptor n goes to sq[n mod depth]. A command occupies a slot from submission until its
 * completion has been taken; there are depth slots, so submitted - taken <= depth, which bounds both rings: the chip
 * takes descriptors in order, so when n is written, n - depth has been taken; and it can have written at most
 * depth completions that were not taken. The descriptor's cookie is the slot's index; the user's cookie waits
 * in the slot. So completions may come in any order, and what is outstanding is known when the queue ends.
 *
 * Completion. Completion n is at cq[n mod depth] once its phase bit is ((n / depth) & 1) ^ 1. The last 8 bytes hold
 * the phase, and are read first.
 *
 * Quiet commands (HSL_DF_NO_CQE). One that ends well writes no completion. Its slot is free when a later command that is not
 * RELAXED has completed: such a command starts after all before it have ended, so its completion, and the failures
 * before it, tell all about them. We say that it marks. Quiet slots are on a list, and a completion that marks takes off it
 * what is older than itself. That the ring cannot fill with quiet commands nothing ever marks is the library's
 * care: of each depth / 2 of them without a mark one loses the flag and the RELAXED order (FORCED), and its completion is
 * hidden unless it failed. So of a full ring either a mark is outstanding, or there are commands that complete by themselves.
 * hsl_queue_wait with nothing but quiet commands outstanding submits a NOP of its own that marks, which says
 * when they have ended. It joins an open chain of HSL_DF_LINK, so that it does not end it.
 *
 * End. ctrl->state leaves READY when the chip or the driver has ended the queue, and the chip writes no completion
 * after that. Then: what is in the ring is taken, the slots still busy are reported as HSL_ST_GONE in the order of
 * their submission, and nothing is looked at again. So every command is reported exactly once (HEP-QUE-014).
 *
 * Waiting. Spin for a few microseconds, as a completion is usually that close; then poll(2) on the queue's file.
 * Kernel: the driver looks at ctrl->cq_head and arms the chip itself. Sim: queue_fd_rearm arms before sleeping. Arming
 * with the count taken wakes at once if more completions exist already, so none is missed (HEP-QUE-013).
 *
 * Threads: one at a time per queue, no lock. The exception is hsl_queue_fd, which touches only fd and fd_used.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "priv.h"

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
/* out of the way of what every command needs */
#define cold		__attribute__((__cold__, __noinline__))
#define noinline	__attribute__((__noinline__))

#define DEPTH_DEFAULT		256u
#define SPIN_MIN_NS		500u
#define SPIN_MAX_NS		16000u

/* ---- order of memory accesses ---- */

/*
 * Everything stored before is visible to the chip before the doorbell store that follows. Partner: the chip reads
 * the doorbell, then descriptors (HEP-QUE-002).
 */
static inline void before_doorbell(void)
{
#if defined(__x86_64__) || defined(__i386__)
	/* stores stay in order, also from write-back to uncached memory */
	atomic_signal_fence(memory_order_seq_cst);
#elif defined(__aarch64__)
	__asm__ volatile("dmb oshst" ::: "memory");
#elif defined(__riscv)
	__asm__ volatile("fence ow, ow" ::: "memory");
#else
	__sync_synchronize();
#endif
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

/* ---- life ---- */

int hslp_queue_init(struct hsl_queue *q)
{
	q->slots = calloc(q->depth, sizeof(*q->slots));
	q->free_slots = calloc(q->depth, sizeof(*q->free_slots));
	if (!q->slots || !q->free_slots) {
		hslp_queue_fini(q);
		return -ENOMEM;
	}
	/* the top of the stack is slot 0 */
	for (uint32_t i = 0; i < q->depth; i++)
		q->free_slots[i] = q->depth - 1 - i;
	q->nfree = q->depth;
	q->quiet_first = HSLP_NO_SLOT;
	q->quiet_last = HSLP_NO_SLOT;
	q->spin_ns = SPIN_MAX_NS / 4;
	return 0;
}

void hslp_queue_fini(struct hsl_queue *q)
{
	free(q->slots);
	free(q->free_slots);
	q->slots = NULL;
	q->free_slots = NULL;
}

static int choose_depth(struct hsl_fabric *f, uint32_t node, uint32_t wanted, uint32_t *depth)
{
	struct hsl_chip_info c = { .size = sizeof(c), .node = node };
	int err;

	if (wanted) {
		*depth = wanted;
		return wanted < 2 || (wanted & (wanted - 1)) ? -EINVAL : 0;
	}
	err = f->ops->chip_info(f, &c);
	if (err)
		return err;
	*depth = c.max_depth < DEPTH_DEFAULT ? c.max_depth : DEPTH_DEFAULT;
	return 0;
}

int hsl_queue_create(struct hsl_fabric *f, uint32_t node, const struct hsl_queue_opts *opts,
		     struct hsl_queue **out)
{
	struct hsl_queue_opts o = { 0 };
	struct hsl_queue *q;
	int err;

	if (!f || !out)
		return -EINVAL;
	if (opts) {
		err = hslp_opts_in(&o, sizeof(o), sizeof(o), opts);
		if (err)
			return err;
	}
	if (o.flags & ~HSL_QUEUE_F_SYSCALL)
		return -EINVAL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->fabric = f;
	q->ops = f->ops;
	q->node = node;
	q->flags = o.flags;
	q->fd = -1;
	err = choose_depth(f, node, o.depth, &q->depth);
	if (err)
		goto free_queue;
	q->depth_log2 = (uint32_t)__builtin_ctz(q->depth);
	/* first, as it also refuses a depth too large for the chip before anything of that size is allocated */
	err = f->ops->queue_create(f, q);
	if (err)
		goto free_queue;
	err = hslp_queue_init(q);
	if (err)
		goto destroy_backend;

	pthread_mutex_lock(&f->lock);
	q->next = f->queues;
	if (q->next)
		q->next->prev = q;
	f->queues = q;
	pthread_mutex_unlock(&f->lock);
	*out = q;
	return 0;

destroy_backend:
	f->ops->queue_destroy(q);
free_queue:
	free(q);
	return err;
}

void hsl_queue_destroy(struct hsl_queue *q)
{
	struct hsl_fabric *f;

	if (!q)
		return;
	f = q->fabric;
	pthread_mutex_lock(&f->lock);
	if (q->prev)
		q->prev->next = q->next;
	else
		f->queues = q->next;
	if (q->next)
		q->next->prev = q->prev;
	pthread_mutex_unlock(&f->lock);
	q->ops->queue_destroy(q);
	hslp_queue_fini(q);
	free(q);
}

void hslp_queue_free_all(struct hsl_fabric *f)
{
	while (f->queues)
		hsl_queue_destroy(f->queues);
}

uint32_t hsl_queue_depth(const struct hsl_queue *q)
{
	return q->depth;
}

uint32_t hsl_queue_node(const struct hsl_queue *q)
{
	return q->node;
}

/* ---- slots ---- */

static void quiet_append(struct hsl_queue *q, uint32_t slot)
{
	struct hslp_slot *s = &q->slots[slot];

	s->prev = q->quiet_last;
	s->next = HSLP_NO_SLOT;
	*(s->prev == HSLP_NO_SLOT ? &q->quiet_first : &q->slots[s->prev].next) = slot;
	q->quiet_last = slot;
	q->nquiet++;
}

static void quiet_remove(struct hsl_queue *q, const struct hslp_slot *s)
{
	*(s->prev == HSLP_NO_SLOT ? &q->quiet_first : &q->slots[s->prev].next) = s->next;
	*(s->next == HSLP_NO_SLOT ? &q->quiet_last : &q->slots[s->next].prev) = s->prev;
	q->nquiet--;
}

static void count_out(struct hsl_queue *q, const struct hslp_slot *s)
{
	if (s->kind == HSLP_SLOT_QUIET) {
		quiet_remove(q, s);
	} else {
		q->nhidden--;
		q->nown -= s->kind == HSLP_SLOT_OWN;
	}
}

/* These are on the way of every command; what is special about the quiet ones is not in it. */
static inline void slot_free(struct hsl_queue *q, uint32_t slot)
{
	struct hslp_slot *s = &q->slots[slot];

	if (s->kind != HSLP_SLOT_LOUD)
		count_out(q, s);
	s->kind = HSLP_SLOT_FREE;
	q->free_slots[q->nfree++] = slot;
}

/* Everything submitted before seq has ended, and what failed of it has been taken: the quiet ones have ended well. */
static inline void quiet_release(struct hsl_queue *q, uint32_t seq)
{
	while (q->nquiet && (int32_t)(q->slots[q->quiet_first].seq - seq) < 0)
		slot_free(q, q->quiet_first);
}

/* ---- submission ---- */

static bool has_ended(const struct hsl_queue *q)
{
	/* acquire: after the end is seen, so are all completions. Partner: the driver's store of state. */
	return __atomic_load_n(&q->ctrl->state, __ATOMIC_ACQUIRE) != HSL_QUEUE_READY;
}

static int ring_doorbell(struct hsl_queue *q)
{
	if (!q->doorbell)
		return q->ops->queue_doorbell(q, q->sq_tail);
	before_doorbell();
	q->doorbell[HSL_DB_SQ_TAIL / 4] = q->sq_tail;
	return 0;
}

/* Tell the chip of everything before sq_tail. True: it wants the doorbell. */
static inline bool publish_tail(struct hsl_queue *q)
{
	if (unlikely(!q->shadow))
		return true;
	/*
	 * Store tail, load flag here; store flag, load tail in the chip (HEP-QUE-020). All four are seq_cst, so in one order that
	 * both sides agree on: either we see that it went to sleep or it sees the tail. Release and acquire do not say that, as
	 * the load may go before the store. The store is also the release of the descriptors.
	 */
	__atomic_store_n(&q->shadow->tail, q->sq_tail, __ATOMIC_SEQ_CST);
	return unlikely(__atomic_load_n(&q->shadow->need_doorbell, __ATOMIC_SEQ_CST));
}

/* A command without its completion. Returns the slot's kind; op is what goes into the ring. */
static enum hslp_slot_kind quieten(struct hsl_queue *q, struct hsl_op *op, uint32_t slot)
{
	/* an order that does not exist cannot mark: the command will fail, and so complete */
	if (q->unmarked + 1 < q->depth / 2 || op->order > HSL_ORDER_RELAXED) {
		quiet_append(q, slot);
		q->unmarked++;
		return HSLP_SLOT_QUIET;
	}
	op->flags &= (uint8_t)~HSL_DF_NO_CQE;
	if (op->order == HSL_ORDER_RELAXED)
		op->order = HSL_ORDER_STRONG;
	q->nhidden++;
	return HSLP_SLOT_FORCED;
}

static inline void desc_write(struct hsl_desc *d, const struct hsl_op *op, uint64_t first, uint32_t slot)
{
	/* rsvd1 is left out: the ring comes zeroed, and nobody ever writes there */
	memcpy(d, &first, sizeof(first));
	d->cookie = slot;
	d->dst = op->dst;
	d->src = op->src;
	d->len = op->len;
	d->arg0 = op->arg0;
	d->arg1 = op->arg1;
}

/* Write op into the ring as the next descriptor, for a free slot; kind is LOUD or OWN. */
static void put(struct hsl_queue *q, const struct hsl_op *user_op, enum hslp_slot_kind kind)
{
	uint32_t slot = q->free_slots[--q->nfree];
	struct hslp_slot *s = &q->slots[slot];
	struct hsl_op op = *user_op;

	if (op.flags & HSL_DF_NO_CQE)
		kind = quieten(q, &op, slot);
	s->cookie = op.cookie;
	s->seq = q->sq_tail;
	s->kind = (uint8_t)kind;
	s->marks = kind != HSLP_SLOT_QUIET && op.order < HSL_ORDER_RELAXED;
	if (s->marks)
		q->unmarked = 0;
	q->linked = op.flags & HSL_DF_LINK;
	desc_write(&q->sq[q->sq_tail & (q->depth - 1)], &op,
		   (uint64_t)op.opcode | (uint64_t)op.flags << 8 | (uint64_t)op.order << 16 | (uint64_t)op.subop << 24,
		   slot);
	q->sq_tail++;
}

/* The first 8 bytes of an operation with none of these set are those of its descriptor: no flag, order STRONG, rsvd1 0. */
#define NOT_PLAIN	0xffffffff00ffff00ull
static_assert(offsetof(struct hsl_op, order) == 1 && offsetof(struct hsl_op, flags) == 2 &&
	      offsetof(struct hsl_op, subop) == 3 && offsetof(struct hsl_op, rsvd1) == 4 &&
	      offsetof(struct hsl_desc, subop) == 3 && HSL_ORDER_STRONG == 0, "first 8 bytes");

/* put() for the plain ones at the start of op[0..n); how many those are. State stays in registers from one to the next. */
static inline unsigned int put_plain(struct hsl_queue *q, const struct hsl_op *op, unsigned int n)
{
	const uint32_t *free_slot = q->free_slots + q->nfree;
	struct hslp_slot *const slots = q->slots;
	struct hsl_desc *const sq = q->sq;
	uint32_t mask = q->depth - 1, first_tail = q->sq_tail, tail = first_tail, end = tail + n;
	uint64_t first;

	for (; tail != end; tail++, op++) {
		uint32_t slot;
		struct hslp_slot *s;

		memcpy(&first, op, sizeof(first));
		if (unlikely(first & NOT_PLAIN))
			break;
		slot = *--free_slot;
		s = &slots[slot];
		s->cookie = op->cookie;
		s->seq = tail;
		s->kind = HSLP_SLOT_LOUD;
		s->marks = true;
		desc_write(&sq[tail & mask], op, first, slot);
	}
	n = tail - first_tail;
	q->nfree -= n;
	q->sq_tail = tail;
	return n;
}

/* The chip has not seen the n descriptors written last: take them back. Before them unmarked and linked were so. */
static cold void take_back(struct hsl_queue *q, unsigned int n, uint32_t unmarked, bool linked)
{
	while (n--)
		slot_free(q, (uint32_t)q->sq[--q->sq_tail & (q->depth - 1)].cookie);
	q->unmarked = unmarked;
	q->linked = linked;
}

/* Ring for n descriptors just written. */
static int ring_for(struct hsl_queue *q, unsigned int n, uint32_t unmarked, bool linked)
{
	int err = publish_tail(q) ? ring_doorbell(q) : 0;

	/* with a shadow tail a doorbell that fails is one of a queue that has ended, which its state will say: they are out */
	if (!err || q->shadow)
		return 0;
	take_back(q, n, unmarked, linked);
	return err == -ENODEV ? -ESHUTDOWN : err;
}

/* Only quiet commands are outstanding, and nothing submitted says when they have ended. */
static bool needs_mark(const struct hsl_queue *q)
{
	return !q->ended && q->nquiet && q->unmarked && q->nfree && q->depth - q->nfree == q->nquiet + q->nhidden;
}

static int submit_mark(struct hsl_queue *q)
{
	struct hsl_op op = { .opcode = HSL_OP_NOP, .flags = q->linked ? HSL_DF_LINK : 0 };
	uint32_t unmarked = q->unmarked;
	bool linked = q->linked;

	put(q, &op, HSLP_SLOT_OWN);
	q->nhidden++;
	q->nown++;
	return ring_for(q, 1, unmarked, linked);
}

static void reap_hidden(struct hsl_queue *q);

/* How many of n fit. */
static cold unsigned int make_room(struct hsl_queue *q, unsigned int n)
{
	if (q->nhidden)
		reap_hidden(q);
	return n < q->nfree ? n : q->nfree;
}

/* hsl_queue_submit where ops[at] is not plain, and what is before it has been put. */
static cold int submit_rest(struct hsl_queue *q, const struct hsl_op *ops, unsigned int at, unsigned int n)
{
	uint32_t unmarked = q->unmarked;
	bool linked = q->linked;
	int err;

	if (at) {
		q->unmarked = 0;
		q->linked = false;
	}
	for (; at < n; at++) {
		if (ops[at].rsvd1) {
			take_back(q, at, unmarked, linked);
			return -EINVAL;
		}
		put(q, &ops[at], HSLP_SLOT_LOUD);
	}
	err = ring_for(q, n, unmarked, linked);
	return err ? err : (int)n;
}

/* hsl_queue_submit after n plain ones where the doorbell is wanted. */
static cold int submit_doorbell(struct hsl_queue *q, unsigned int n)
{
	int err = ring_doorbell(q);

	if (err && !q->shadow) {
		take_back(q, n, q->unmarked, q->linked);
		return err == -ENODEV ? -ESHUTDOWN : err;
	}
	q->unmarked = 0;
	q->linked = false;
	return (int)n;
}

/* n > 0 and there is room for them. */
static inline int submit_fitting(struct hsl_queue *q, const struct hsl_op *ops, unsigned int n)
{
	unsigned int plain = put_plain(q, ops, n);

	if (unlikely(plain < n))
		return submit_rest(q, ops, plain, n);
	if (unlikely(publish_tail(q)))
		return submit_doorbell(q, n);
	q->unmarked = 0;
	q->linked = false;
	return (int)n;
}

static noinline int submit_many(struct hsl_queue *q, const struct hsl_op *ops, unsigned int n)
{
	if (unlikely(n > q->nfree)) {
		n = make_room(q, n);
		if (!n)
			return -EAGAIN;
	}
	return submit_fitting(q, ops, n);
}

int hsl_queue_submit(struct hsl_queue *q, const struct hsl_op *ops, unsigned int n)
{
	if (!q || (!ops && n))
		return -EINVAL;
	if (unlikely(has_ended(q)))
		return -ESHUTDOWN;
	/* without the loop it needs so few registers that none is saved: a third of what one command costs */
	if (n == 1 && likely(q->nfree))
		return submit_fitting(q, ops, 1);
	return n ? submit_many(q, ops, n) : 0;
}

/* ---- completion ---- */

static inline void report(struct hsl_completion *c, uint64_t cookie, uint32_t status, uint64_t result,
			  uint64_t fault_ga)
{
	c->cookie = cookie;
	c->result = result;
	c->fault_ga = fault_ga;
	c->status = status;
	c->error = unlikely(status) ? hsl_status_errno(status) : 0;
}

/* The last 8 bytes of a completion. */
static inline uint64_t cqe_tail(const struct hsl_cqe *e)
{
	static_assert(offsetof(struct hsl_cqe, sq_head) == 24 && sizeof(struct hsl_cqe) == 32, "last 8 bytes");
	/*
	 * acquire: the rest of the completion, and the data of the command, are read after this. Partner: the
	 * chip stores these 8 bytes last (HEP-QUE-003).
	 */
	return __atomic_load_n((const uint64_t *)(const void *)&e->sq_head, __ATOMIC_ACQUIRE);
}

/* True if completion n = cq_head is in the ring; then *tail is its last 8 bytes. */
static bool completion_ready(const struct hsl_queue *q, uint64_t *tail)
{
	*tail = cqe_tail(&q->cq[q->cq_head & (q->depth - 1)]);
	return *tail >> 63 == !(q->cq_head & q->depth);
}

/* Completions were taken. If somebody watches the fd it must say what is true now. */
static void keep_fd_true(struct hsl_queue *q)
{
	if (unlikely(atomic_load_explicit(&q->fd_used, memory_order_relaxed)) && q->ops->queue_fd_rearm)
		q->ops->queue_fd_rearm(q, true);
}

static inline bool is_hidden(const struct hslp_slot *s, uint32_t status)
{
	return s->kind == HSLP_SLOT_OWN || (s->kind == HSLP_SLOT_FORCED && status == HSL_ST_OK);
}

/* Take completion cq_head, whose last 8 bytes are tail. True if it is to be reported: then it is in *c. */
static cold bool take_one(struct hsl_queue *q, uint64_t tail, struct hsl_completion *c)
{
	const struct hsl_cqe *e = &q->cq[q->cq_head & (q->depth - 1)];
	uint32_t status = HSL_CQE_CODE((uint32_t)(tail >> 32));
	uint64_t slot = e->cookie;
	struct hslp_slot *s;
	bool hidden;

	q->cq_head++;
	if (slot >= q->depth || q->slots[slot].kind == HSLP_SLOT_FREE) {
		/* a chip that breaks HEP-QUE-001; a command it forgot shows as outstanding for ever */
		hslp_err("queue of node %u: completion %u names slot %#llx, which is not in use", q->node,
			 q->cq_head - 1, (unsigned long long)slot);
		return false;
	}
	s = &q->slots[slot];
	hidden = is_hidden(s, status);
	if (!hidden)
		report(c, s->cookie, status, e->result, e->fault_ga);
	if (s->marks)
		quiet_release(q, s->seq);
	slot_free(q, (uint32_t)slot);
	return !hidden;
}

/* release: the completions were read before the driver learns that. Partner: the driver's poll. */
static inline void publish_head(struct hsl_queue *q)
{
	__atomic_store_n(&q->ctrl->cq_head, q->cq_head, __ATOMIC_RELEASE);
}

static unsigned int take_ring(struct hsl_queue *q, struct hsl_completion *c, unsigned int max)
{
	uint32_t head = q->cq_head;
	unsigned int n = 0;
	uint64_t tail;

	while (n < max && completion_ready(q, &tail))
		n += take_one(q, tail, &c[n]);
	if (n < max && q->abort_done) {
		/* the ring was empty after all before abort_seq had ended */
		q->abort_done = false;
		quiet_release(q, q->abort_seq);
	}
	if (q->cq_head != head)
		publish_head(q);
	return n;
}

/* The user submits without taking completions: take those he is not to see. */
static void reap_hidden(struct hsl_queue *q)
{
	uint32_t head = q->cq_head;
	uint64_t tail;

	while (completion_ready(q, &tail)) {
		uint64_t slot = q->cq[q->cq_head & (q->depth - 1)].cookie;

		if (slot >= q->depth || !is_hidden(&q->slots[slot], HSL_CQE_CODE((uint32_t)(tail >> 32))))
			break;
		take_one(q, tail, NULL);
	}
	if (q->cq_head != head) {
		publish_head(q);
		keep_fd_true(q);
	}
}

static int by_age(const void *a, const void *b, void *queue)
{
	const struct hsl_queue *q = queue;
	/* how long ago each was submitted, whatever the counter wrapped over */
	uint32_t x = q->sq_tail - q->slots[*(const uint32_t *)a].seq;
	uint32_t y = q->sq_tail - q->slots[*(const uint32_t *)b].seq;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The ring is exhausted for ever: list what is outstanding, oldest first, where the free slots were. */
static void list_gone(struct hsl_queue *q)
{
	q->ended = true;
	q->ngone = 0;
	q->gone_next = 0;
	for (uint32_t i = 0; i < q->depth; i++)
		if (q->slots[i].kind != HSLP_SLOT_FREE && q->slots[i].kind != HSLP_SLOT_OWN)
			q->free_slots[q->ngone++] = i;
	q->nfree = 0;
	qsort_r(q->free_slots, q->ngone, sizeof(*q->free_slots), by_age, q);
}

static unsigned int take_gone(struct hsl_queue *q, struct hsl_completion *c, unsigned int max)
{
	unsigned int n = 0;

	while (n < max && q->gone_next < q->ngone)
		report(&c[n++], q->slots[q->free_slots[q->gone_next++]].cookie, HSL_ST_GONE, 0, 0);
	return n;
}

static unsigned int take(struct hsl_queue *q, struct hsl_completion *c, unsigned int max)
{
	unsigned int n = 0;

	if (!q->ended) {
		n = take_ring(q, c, max);
		if (n == max || likely(!has_ended(q)))
			return n;
		/* completions may have come between the look at the ring and the look at the state */
		n += take_ring(q, c + n, max - n);
		if (n == max)
			return n;
		list_gone(q);
	}
	return n + take_gone(q, c + n, max - n);
}

/* hsl_queue_poll after n plain ones: what needs more thought, and the fd. */
static cold int poll_rest(struct hsl_queue *q, struct hsl_completion *c, unsigned int n, unsigned int max)
{
	n += take(q, c + n, max - n);
	if (max && !q->ended)
		keep_fd_true(q);
	if (!n && q->ops->queue_idle)
		q->ops->queue_idle(q);
	return (int)n;
}

/*
 * take_one() for what a busy user takes: OK, of a LOUD slot, with nothing quiet that waits for a mark. State is in registers
 * from one to the next, and nothing is called.
 */
int hsl_queue_poll(struct hsl_queue *q, struct hsl_completion *c, unsigned int max)
{
	const struct hsl_cqe *cq;
	struct hslp_slot *slots;
	uint32_t *free_slot;
	uint32_t depth, head;
	unsigned int n;
	uint64_t tail;

	if (!q || (!c && max))
		return -EINVAL;
	if (max > INT32_MAX)
		max = INT32_MAX;
	if (unlikely(q->ended || q->abort_done || q->nquiet))
		return poll_rest(q, c, 0, max);
	cq = q->cq;
	slots = q->slots;
	free_slot = q->free_slots + q->nfree;
	depth = q->depth;
	head = q->cq_head;
	for (n = 0; n < max; n++) {
		const struct hsl_cqe *e = &cq[head & (depth - 1)];
		uint64_t slot;

		if (cqe_tail(e) >> 32 != (head & depth ? HSL_ST_OK : HSL_ST_OK | HSL_CQE_PHASE))
			break;
		slot = e->cookie;
		if (unlikely(slot >= depth || slots[slot].kind != HSLP_SLOT_LOUD))
			break;
		report(&c[n], slots[slot].cookie, HSL_ST_OK, e->result, e->fault_ga);
		slots[slot].kind = HSLP_SLOT_FREE;
		*free_slot++ = (uint32_t)slot;
		head++;
	}
	if (n) {
		q->nfree += n;
		q->cq_head = head;
		publish_head(q);
	} else if (has_ended(q)) {
		return poll_rest(q, c, 0, max);
	} else if (unlikely(q->ops->queue_idle)) {
		q->ops->queue_idle(q);
	}
	if (unlikely((n < max && completion_ready(q, &tail)) || atomic_load_explicit(&q->fd_used, memory_order_relaxed)))
		return poll_rest(q, c, n, max);
	return (int)n;
}

unsigned int hsl_queue_outstanding(const struct hsl_queue *q)
{
	return q->ended ? q->ngone - q->gone_next : q->depth - q->nfree - q->nown;
}

/* ---- waiting ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* True if something is to be taken. A wait that was short makes the next one spin longer, a long one shorter. */
static bool spin(struct hsl_queue *q, uint64_t deadline_ns)
{
	uint64_t start = now_ns(), now = start, tail;

	while (now - start < q->spin_ns && now < deadline_ns) {
		for (unsigned int i = 0; i < 32; i++) {
			if (completion_ready(q, &tail)) {
				q->spin_ns = q->spin_ns < SPIN_MAX_NS / 2 ? q->spin_ns * 2 : SPIN_MAX_NS;
				return true;
			}
			cpu_relax();
		}
		if (has_ended(q))
			return true;
		now = now_ns();
	}
	q->spin_ns = q->spin_ns > SPIN_MIN_NS * 2 ? q->spin_ns / 2 : SPIN_MIN_NS;
	return false;
}

/* 0 when woken, for whatever reason; -ETIMEDOUT, -EINTR */
static int sleep_until(struct hsl_queue *q, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = q->fd, .events = POLLIN };
	struct timespec ts, *timeout = NULL;
	int n;

	if (q->ops->queue_fd_rearm)
		q->ops->queue_fd_rearm(q, atomic_load_explicit(&q->fd_used, memory_order_relaxed));
	if (deadline_ns != UINT64_MAX) {
		uint64_t now = now_ns();
		uint64_t left = deadline_ns > now ? deadline_ns - now : 0;

		ts.tv_sec = (time_t)(left / 1000000000u);
		ts.tv_nsec = (long)(left % 1000000000u);
		timeout = &ts;
	}
	n = ppoll(&p, 1, timeout, NULL);
	if (n < 0)
		return -errno;
	if (!n)
		return -ETIMEDOUT;
	if (p.revents & ~POLLIN)
		q->ops->queue_refresh(q);
	return 0;
}

int hsl_queue_wait(struct hsl_queue *q, struct hsl_completion *c, unsigned int max, uint64_t deadline_ns)
{
	int n, err = 0;

	if (!q || !c || !max)
		return -EINVAL;
	for (;;) {
		n = hsl_queue_poll(q, c, max);
		if (n)
			return n;
		if (!hsl_queue_outstanding(q))
			return -ENOENT;
		/* looked once more after the time was up: a completion that came in time is not a timeout */
		if (err)
			return err;
		if (needs_mark(q)) {
			err = submit_mark(q);
			if (err && err != -ESHUTDOWN)
				return err;
			err = 0;
		}
		/* time goes on with each look */
		if (q->ops->queue_idle) {
			q->ops->queue_refresh(q);
			err = now_ns() < deadline_ns ? 0 : -ETIMEDOUT;
			continue;
		}
		if (spin(q, deadline_ns))
			continue;
		/* a queue the chip has stopped wakes nobody; has it ended since the last look? */
		q->ops->queue_refresh(q);
		if (!has_ended(q))
			err = sleep_until(q, deadline_ns);
	}
}

int hsl_queue_fd(const struct hsl_queue *q)
{
	struct hsl_queue *w = (struct hsl_queue *)(uintptr_t)q;

	/* from now on poll keeps the fd true; the owner may be taking completions and not know that yet */
	if (!atomic_exchange(&w->fd_used, true) && q->ops->queue_fd_rearm)
		q->ops->queue_fd_rearm(w, false);
	return q->fd;
}

int hsl_queue_eventfd(struct hsl_queue *q, int fd)
{
	if (!q || fd < -1)
		return -EINVAL;
	return q->ops->queue_eventfd(q, fd);
}

int hsl_queue_arm(struct hsl_queue *q)
{
	if (!q)
		return -EINVAL;
	if (has_ended(q))
		return -ESHUTDOWN;
	if (!q->doorbell)
		return q->ops->queue_arm(q, q->cq_head);
	before_doorbell();
	q->doorbell[HSL_DB_CQ_ARM / 4] = q->cq_head;
	return 0;
}

int hsl_queue_abort(struct hsl_queue *q)
{
	int err;

	if (!q)
		return -EINVAL;
	if (has_ended(q))
		return -ESHUTDOWN;
	err = q->ops->queue_abort(q);
	if (err)
		return err == -ENODEV ? -ESHUTDOWN : err;
	q->abort_seq = q->sq_tail;
	q->abort_done = true;
	return 0;
}

int hsl_queue_moderate(struct hsl_queue *q, uint32_t count, uint32_t us)
{
	struct hsl_chip_info c = { .size = sizeof(c) };
	int err;

	if (!q || count > UINT16_MAX || us > UINT16_MAX)
		return -EINVAL;
	if (has_ended(q))
		return -ESHUTDOWN;
	c.node = q->node;
	err = q->ops->chip_info(q->fabric, &c);
	if (err)
		return err == -ENODEV || err == -ENOENT ? -ESHUTDOWN : err;
	/* the register is in the doorbell page, and there is no system call for it: the same answer on every backend */
	if (!(c.cap & HSL_CAP_MODERATION) || (q->flags & HSL_QUEUE_F_SYSCALL))
		return -EOPNOTSUPP;
	if (q->doorbell) {
		q->doorbell[HSL_DB_MODERATION / 4] = HSL_MODERATION(count, us);
		return 0;
	}
	return q->ops->queue_moderate ? q->ops->queue_moderate(q, HSL_MODERATION(count, us)) : -EOPNOTSUPP;
}

int hsl_queue_state(struct hsl_queue *q, uint32_t *error)
{
	uint32_t state;

	if (!q)
		return -EINVAL;
	q->ops->queue_refresh(q);
	state = __atomic_load_n(&q->ctrl->state, __ATOMIC_ACQUIRE);
	if (error)
		*error = state == HSL_QUEUE_READY ? HSL_ST_OK : q->ctrl->error;
	return state == HSL_QUEUE_READY ? HSL_QUEUE_READY : HSL_QUEUE_ERROR;
}
