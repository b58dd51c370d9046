// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The judge of one line.
 *
 * Every access lies within one line, accesses to one line take effect one at a time, whole, between
 * post and done, and those of one agent in the order of their posts. Is there an order of all
 * operations on the line that obeys this and in which every read returns what the writes before it
 * left? If for every line there is one, then there is one of all accesses together that agrees with
 * time (linearizability is local: Herlihy and Wing 1990), and axioms 1 to 4 hold.
 *
 * The judge looks for such an order and finds it or proves that there is none. An order that was
 * found is the proof: it was replayed byte by byte as it was built. Looking is near-linear, because
 * tests make values that tell who wrote them:
 *
 * 1. Cells. The line is cut wherever an access begins or ends, so that each access covers a cell or
 *    does not touch it.
 * 2. Writers. A read of a cell can only mean a write of that value which was not posted after the
 *    read was done, and is not hidden: no other write of the cell lies wholly between the two.
 *    None: a violation. One: that is the writer. Several: ambiguous, 3 does without this read.
 * 3. Clusters. A write and its readers follow each other in the cell without another write between
 *    (Gibbons and Korach 1997). If anybody of cluster c was done before somebody of cluster d was
 *    posted, then all of c comes before d: first_done(c) < last_posted(d).
 * 4. Order. Built from the front. Next may be who was posted before any other unplaced one was
 *    done, is the first unplaced one of its agent, reads what the line holds, hides nothing that
 *    has yet to be read (2), and jumps no cluster that must come first (3). A read that may be next
 *    is placed at once: it changes nothing, so waiting for it can only cost. Among writes, the one
 *    whose cluster has the earliest middle is tried first: where all cover the same bytes and there
 *    are no atomics this never fails (sorting clusters by first_done + last_posted extends the
 *    order of 3), elsewhere it rarely does. Then the search goes back, and remembers situations
 *    (set placed, who wrote each cell) that lead nowhere.
 *
 * UNREACHABLE: a write that may have happened or not, at any time after its post; it need not be
 * placed. Poison is one more bit of the line: writes of the whole line clear it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_priv.h"

#define NONE UINT32_MAX
#define STEPS_MAX (1u << 22) /* of one line, beyond a few for each operation */
#define EXPLAINED_MAX 16

struct node { /* an operation */
	const struct entry *e;
	uint64_t t0, t1;	       /* posted, done */
	uint64_t key;		       /* the middle of its cluster */
	uint64_t fresh;		       /* ATOMIC: the new value */
	const uint8_t *reads, *writes; /* bytes; NULL: does not */
	uint32_t prev, next;	       /* unplaced ones, by post */
	uint32_t before;	       /* the one before it of the same agent */
	uint32_t touch;		       /* its first one */
	uint8_t first, end;	       /* cells */
	bool must, unknown;	       /* has happened; ATOMIC that told no old value */
	bool placed, was_poison;
	uint8_t old[HSL_LINE_BYTES];
};

struct touch {				  /* an operation in a cell */
	uint64_t first_done, last_posted; /* of the cluster of this write */
	uint64_t value;			  /* written; hashed if longer than 8 bytes */
	uint32_t node;
	uint32_t from;	     /* the write that is read here; NONE: ambiguous, or reads nothing */
	uint32_t unread;     /* readers of this write not placed yet */
	uint32_t prev, next; /* unplaced writes of the cell, by first_done */
	uint32_t hides;	     /* the writer before it, while placed */
};

struct frame { /* a choice: alternatives not tried yet are choices[next … end) */
	uint32_t placed, first, next, end;
	uint64_t hash;
};

struct judge {
	struct node *node; /* n, and a last one: what was there before */
	struct touch *touch;
	uint32_t n, touches, cells;
	uint8_t cell_off[HSL_LINE_BYTES + 1];
	bool open[HSL_LINE_BYTES]; /* cells that an unknown value was written to */

	/* the search */
	struct line_state state;
	uint32_t writer[HSL_LINE_BYTES]; /* by cell: a touch */
	uint32_t list[HSL_LINE_BYTES];	 /* by cell: unplaced writes */
	uint32_t head;			 /* unplaced nodes */
	uint32_t *order, placed, left;
	uint64_t set; /* hash of the set of those placed */
	struct frame *frame;
	uint32_t frames;
	uint32_t *choice, choices, choice_room;
	uint64_t *failed; /* hash set, 0 empty */
	uint32_t failures, failed_room;
	uint32_t explained; /* placed, at the dead end that why tells of; NONE */

	const uint8_t *pool;
	struct oracle_stats *stats;
	char *why;
};

static void *array(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p) {
		perror("oracle");
		abort();
	}
	return p;
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int64_t sign_extend(uint64_t v, uint8_t len)
{
	return len == 8 ? (int64_t)v : (int32_t)v;
}

/* docs/hep.md section 6, ATOMIC. False: nothing is written. */
static bool atomic(const struct entry *e, uint64_t old, uint64_t *fresh)
{
	uint64_t mask = e->len == 8 ? UINT64_MAX : UINT32_MAX;
	uint64_t a = e->arg0 & mask;

	switch (e->subop) {
	case HSL_ATOMIC_ADD: *fresh = old + a; break;
	case HSL_ATOMIC_SWAP: *fresh = a; break;
	case HSL_ATOMIC_CAS: *fresh = a; return old == (e->arg1 & mask);
	case HSL_ATOMIC_AND: *fresh = old & a; break;
	case HSL_ATOMIC_OR: *fresh = old | a; break;
	case HSL_ATOMIC_XOR: *fresh = old ^ a; break;
	case HSL_ATOMIC_MIN:
		*fresh = sign_extend(old, e->len) < sign_extend(a, e->len) ? old : a;
		break;
	case HSL_ATOMIC_MAX:
		*fresh = sign_extend(old, e->len) > sign_extend(a, e->len) ? old : a;
		break;
	case HSL_ATOMIC_UMIN: *fresh = old < a ? old : a; break;
	case HSL_ATOMIC_UMAX: *fresh = old > a ? old : a; break;
	}
	return true;
}

/* ---- text ---- */

__attribute__((format(printf, 2, 3))) static void say(char *why, const char *fmt, ...)
{
	size_t used = strlen(why);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why + used, ORACLE_WHY_LEN - used, fmt, ap);
	va_end(ap);
}

static void say_bytes(char *why, const uint8_t *p, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		say(why, "%s%02x", i && i % 8 == 0 ? " " : "", p[i]);
}

static void say_entry(char *why, const struct entry *e, const uint8_t *pool)
{
	static const char *const kinds[ORACLE_KINDS] = { "LOAD",   "STORE", "READ",  "WRITE",
							 "ATOMIC", "FLUSH", "POISON" };

	say(why, "#%llu %s %u %s 0x%llx+%u", (unsigned long long)e->number,
	    e->agent & HSL_AGENT_HOST_PORT ? "host port" : "agent",
	    e->agent & (HSL_AGENT_HOST_PORT - 1u), kinds[e->kind], (unsigned long long)e->ga,
	    e->len);
	if (e->status == HSL_ST_POISON)
		say(why, " poison");
	else if (e->status == HSL_ST_UNREACHABLE)
		say(why, " unreachable");
	else if (e->kind == ORACLE_ATOMIC)
		say(why, " subop %u (0x%llx, 0x%llx) old 0x%llx", e->subop,
		    (unsigned long long)e->arg0, (unsigned long long)e->arg1,
		    (unsigned long long)e->value);
	if (e->bytes != UINT64_MAX && e->status != HSL_ST_POISON) {
		say(why, entry_reads(e) ? " returned " : " of ");
		say_bytes(why, pool + e->bytes, e->len);
	}
	say(why, " [%.3f to %.3f ns]", (double)e->posted_ps / 1e3, (double)e->done_ps / 1e3);
}

static void say_node(struct judge *j, uint32_t i)
{
	if (i == j->n)
		say(j->why, "what was there before");
	else
		say_entry(j->why, j->node[i].e, j->pool);
}

/* "#5", or words for the node that is no operation */
static const char *name(const struct judge *j, uint32_t i, char buf[32])
{
	if (i == j->n)
		return "what was there before";
	snprintf(buf, 32, "#%llu", (unsigned long long)j->node[i].e->number);
	return buf;
}

static void say_cell(struct judge *j, uint32_t cell)
{
	unsigned int first = j->cell_off[cell], last = j->cell_off[cell + 1] - 1u;

	if (first == last)
		say(j->why, "byte %u", first);
	else
		say(j->why, "bytes %u to %u", first, last);
}

/* ---- cells and touches ---- */

static bool is_write(const struct entry *e)
{
	return e->kind == ORACLE_STORE || e->kind == ORACLE_WRITE;
}

static struct touch *touch_of(const struct judge *j, const struct node *x, uint32_t cell)
{
	return &j->touch[x->touch + cell - x->first];
}

static uint8_t line_offset(const struct node *x)
{
	return x->e->ga % HSL_LINE_BYTES;
}

static uint64_t cell_value(const struct judge *j, uint32_t cell, const uint8_t *line_bytes)
{
	const uint8_t *p = line_bytes + j->cell_off[cell];
	uint32_t len = j->cell_off[cell + 1] - j->cell_off[cell];
	uint64_t v = 0, part;

	for (; len > 8; len -= 8, p += 8) {
		memcpy(&part, p, 8);
		v = mix(v ^ part) + len;
	}
	part = 0;
	memcpy(&part, p, len);
	return v + part;
}

static uint64_t node_value(const struct judge *j, const struct node *x, uint32_t cell,
			   const uint8_t *bytes)
{
	uint8_t line[HSL_LINE_BYTES];

	memcpy(line + line_offset(x), bytes, x->e->len);
	return cell_value(j, cell, line);
}

/* What an operation reads and writes, by its kind and how it ended. */
static void set_role(const struct judge *j, struct node *x)
{
	const struct entry *e = x->e;
	bool ok = e->status == HSL_ST_OK;

	x->must = e->status != HSL_ST_UNREACHABLE;
	x->t0 = e->posted;
	x->t1 = x->must ? e->done : UINT64_MAX;
	if (is_write(e) && (ok || !x->must))
		x->writes = j->pool + e->bytes;
	if (entry_reads(e) && ok)
		x->reads =
			e->kind == ORACLE_ATOMIC ? (const uint8_t *)&e->value : j->pool + e->bytes;
	if (e->kind != ORACLE_ATOMIC)
		return;
	x->unknown = !x->must;
	if (x->unknown || (ok && atomic(e, e->value, &x->fresh)))
		x->writes = (const uint8_t *)&x->fresh;
}

static void cut_cells(struct judge *j)
{
	bool edge[HSL_LINE_BYTES + 1] = { [0] = true, [HSL_LINE_BYTES] = true };
	uint8_t cell_at[HSL_LINE_BYTES + 1];

	for (uint32_t i = 0; i < j->n; i++) {
		const struct node *x = &j->node[i];

		if (x->reads || x->writes)
			edge[line_offset(x)] = edge[line_offset(x) + x->e->len] = true;
	}
	for (uint32_t b = 0; b <= HSL_LINE_BYTES; b++) {
		if (edge[b])
			j->cell_off[j->cells++] = (uint8_t)b;
		cell_at[b] = (uint8_t)(j->cells - 1);
	}
	j->cells--;
	for (uint32_t i = 0; i < j->n; i++) {
		struct node *x = &j->node[i];

		x->touch = j->touches;
		if (!x->reads && !x->writes)
			continue;
		x->first = cell_at[line_offset(x)];
		x->end = cell_at[line_offset(x) + x->e->len];
		j->touches += x->end - x->first;
		for (uint32_t c = x->first; x->unknown && c < x->end; c++)
			j->open[c] = true;
	}
}

static void make_touches(struct judge *j)
{
	struct node *start = &j->node[j->n];

	start->touch = j->touches;
	start->end = (uint8_t)j->cells;
	j->touches += j->cells;
	j->touch = array(j->touches, sizeof(*j->touch));
	for (uint32_t i = 0; i <= j->n; i++) {
		struct node *x = &j->node[i];

		for (uint32_t c = x->first; c < x->end; c++) {
			struct touch *t = touch_of(j, x, c);

			t->node = i;
			t->from = NONE;
			t->first_done = x->t1;
			t->last_posted = x->t0;
			if (i == j->n)
				t->value = cell_value(j, c, j->state.data);
			else if (x->writes)
				t->value = node_value(j, x, c, x->writes);
		}
	}
}

/* ---- who was read ---- */

struct by_value {
	uint64_t value, t0, t1, t1_max; /* t1_max: of this and those before of the same value */
	uint32_t touch;
};
struct by_done {
	uint64_t t1, t0_max;
};

static int compare_value(const void *a, const void *b)
{
	const struct by_value *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->t0 < y->t0 ? -1 : x->t0 > y->t0;
}

static int compare_done(const void *a, const void *b)
{
	const struct by_done *x = a, *y = b;

	return x->t1 < y->t1 ? -1 : x->t1 > y->t1;
}

struct cell_writes {
	struct by_value *value;
	struct by_done *done;
	uint32_t n;
};

static void collect_writes(const struct judge *j, uint32_t cell, struct cell_writes *w)
{
	w->n = 0;
	for (uint32_t i = 0; i <= j->n; i++) {
		const struct node *x = &j->node[i];

		if ((i < j->n && !x->writes) || cell < x->first || cell >= x->end)
			continue;
		w->value[w->n] = (struct by_value){ touch_of(j, x, cell)->value, x->t0, x->t1,
						    x->t1, x->touch + cell - x->first };
		w->done[w->n++] = (struct by_done){ x->t1, x->t0 };
	}
	qsort(w->value, w->n, sizeof(*w->value), compare_value);
	qsort(w->done, w->n, sizeof(*w->done), compare_done);
	for (uint32_t i = 1; i < w->n; i++) {
		if (w->value[i].value == w->value[i - 1].value &&
		    w->value[i].t1_max < w->value[i - 1].t1_max)
			w->value[i].t1_max = w->value[i - 1].t1_max;
		if (w->done[i].t0_max < w->done[i - 1].t0_max)
			w->done[i].t0_max = w->done[i - 1].t0_max;
	}
}

/* Latest post of a write that was done before t; a write done before that post is hidden. */
static uint64_t hidden_before(const struct cell_writes *w, uint64_t t)
{
	uint32_t lo = 0, hi = w->n;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (w->done[mid].t1 < t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? w->done[lo - 1].t0_max : 0;
}

/* Writes of the value that were posted before t end here; those of the value come last before it.
 */
static uint32_t value_end(const struct cell_writes *w, uint64_t value, uint64_t t)
{
	uint32_t lo = 0, hi = w->n;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (w->value[mid].value < value ||
		    (w->value[mid].value == value && w->value[mid].t0 < t))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool no_writer(struct judge *j, uint32_t i, uint32_t cell, const struct cell_writes *w,
		      uint64_t value)
{
	uint32_t end = value_end(w, value, UINT64_MAX), hider = NONE;
	uint64_t after = 0;
	char buf[32];

	say_node(j, i);
	say(j->why, "\n  ");
	say_cell(j, cell);
	if (!end || w->value[end - 1].value != value) {
		say(j->why, ": nobody wrote this value there");
		return false;
	}
	end = value_end(w, value, j->node[i].t1);
	if (!end || w->value[end - 1].value != value) {
		say(j->why, ": whoever wrote this value was posted after the read was done");
		return false;
	}
	for (uint32_t k = 0; k < w->n; k++) {
		if (w->value[k].t1 < j->node[i].t0 && w->value[k].t0 >= after) {
			after = w->value[k].t0;
			hider = j->touch[w->value[k].touch].node;
		}
	}
	say(j->why, ": stale, of %s,\n  ", name(j, j->touch[w->value[end - 1].touch].node, buf));
	if (j->touch[w->value[end - 1].touch].node != j->n) {
		say_node(j, j->touch[w->value[end - 1].touch].node);
		say(j->why, "\n  ");
	}
	say(j->why, "which was hidden before the read was posted, by\n  ");
	say_node(j, hider);
	return false;
}

static bool find_writer(struct judge *j, uint32_t i, uint32_t cell, const struct cell_writes *w)
{
	const struct node *x = &j->node[i];
	uint64_t value = node_value(j, x, cell, x->reads);
	uint64_t hidden = hidden_before(w, x->t0);
	uint32_t found = NONE;

	for (uint32_t k = value_end(w, value, x->t1); k > 0; k--) {
		const struct by_value *v = &w->value[k - 1];

		if (v->value != value || v->t1_max < hidden)
			break;
		if (v->t1 < hidden || j->touch[v->touch].node == i)
			continue;
		if (found != NONE) {
			j->stats->ambiguous++;
			return true;
		}
		found = v->touch;
	}
	if (found == NONE)
		return no_writer(j, i, cell, w, value);
	touch_of(j, x, cell)->from = found;
	j->touch[found].unread++;
	if (j->touch[found].first_done > x->t1)
		j->touch[found].first_done = x->t1;
	if (j->touch[found].last_posted < x->t0)
		j->touch[found].last_posted = x->t0;
	return true;
}

static bool find_writers(struct judge *j)
{
	struct cell_writes w = {
		.value = array(j->n + 1, sizeof(*w.value)),
		.done = array(j->n + 1, sizeof(*w.done)),
	};
	bool ok = true;

	for (uint32_t c = 0; c < j->cells && ok; c++) {
		if (j->open[c])
			continue;
		collect_writes(j, c, &w);
		for (uint32_t i = 0; i < j->n && ok; i++) {
			const struct node *x = &j->node[i];

			if (!x->reads || c < x->first || c >= x->end)
				continue;
			j->stats->values++;
			ok = find_writer(j, i, c, &w);
		}
	}
	free(w.value);
	free(w.done);
	return ok;
}

/* ---- the search ---- */

struct by_key {
	uint64_t key;
	uint32_t index;
};

static int compare_key(const void *a, const void *b)
{
	const struct by_key *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* By cell: the writes of operations, by first_done. */
static void make_lists(struct judge *j)
{
	struct by_key *k = array(j->n, sizeof(*k));

	for (uint32_t c = 0; c < j->cells; c++) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < j->n; i++) {
			const struct node *x = &j->node[i];

			if (x->writes && c >= x->first && c < x->end)
				k[n++] = (struct by_key){ touch_of(j, x, c)->first_done,
							  x->touch + c - x->first };
		}
		qsort(k, n, sizeof(*k), compare_key);
		j->list[c] = n ? k[0].index : NONE;
		for (uint32_t i = 0; i < n; i++) {
			j->touch[k[i].index].prev = i ? k[i - 1].index : NONE;
			j->touch[k[i].index].next = i + 1 < n ? k[i + 1].index : NONE;
		}
	}
	free(k);
}

static void set_keys(struct judge *j)
{
	for (uint32_t i = 0; i < j->n; i++) {
		struct node *x = &j->node[i];
		uint64_t first = x->t1, last = x->t0;

		for (uint32_t c = x->first; x->writes && c < x->end; c++) {
			const struct touch *t = touch_of(j, x, c);

			first = t->first_done < first ? t->first_done : first;
			last = t->last_posted > last ? t->last_posted : last;
		}
		x->key = first / 2 + last / 2;
	}
}

static void make_search(struct judge *j)
{
	make_lists(j);
	set_keys(j);
	for (uint32_t c = 0; c < j->cells; c++)
		j->writer[c] = j->node[j->n].touch + c;
	for (uint32_t i = 0; i < j->n; i++) {
		j->node[i].prev = i ? i - 1 : NONE;
		j->node[i].next = i + 1 < j->n ? i + 1 : NONE;
		j->left += j->node[i].must;
	}
	j->head = j->n ? 0 : NONE;
	j->order = array(j->n, sizeof(*j->order));
	j->frame = array(j->n, sizeof(*j->frame));
	j->explained = NONE;
}

static void place(struct judge *j, uint32_t i)
{
	struct node *x = &j->node[i];
	uint64_t old = 0;

	*(x->prev == NONE ? &j->head : &j->node[x->prev].next) = x->next;
	if (x->next != NONE)
		j->node[x->next].prev = x->prev;
	x->placed = true;
	x->was_poison = j->state.poison;
	j->left -= x->must;
	j->order[j->placed++] = i;
	j->set += mix(i + UINT64_C(0x9e3779b97f4a7c15));
	for (uint32_t c = x->first; c < x->end; c++) {
		struct touch *t = touch_of(j, x, c);

		if (t->from != NONE)
			j->touch[t->from].unread--;
		if (!x->writes)
			continue;
		*(t->prev == NONE ? &j->list[c] : &j->touch[t->prev].next) = t->next;
		if (t->next != NONE)
			j->touch[t->next].prev = t->prev;
		t->hides = j->writer[c];
		j->writer[c] = x->touch + c - x->first;
	}
	if (x->e->kind == ORACLE_POISON)
		j->state.poison = true;
	if (!x->writes)
		return;
	memcpy(x->old, j->state.data + line_offset(x), x->e->len);
	if (x->unknown) {
		memcpy(&old, x->old, x->e->len);
		if (j->state.poison || !atomic(x->e, old, &x->fresh))
			x->fresh = old;
	}
	memcpy(j->state.data + line_offset(x), x->writes, x->e->len);
	if (x->e->len == HSL_LINE_BYTES)
		j->state.poison = false;
}

static void take_back(struct judge *j)
{
	uint32_t i = j->order[--j->placed];
	struct node *x = &j->node[i];

	if (x->writes)
		memcpy(j->state.data + line_offset(x), x->old, x->e->len);
	for (uint32_t c = x->first; c < x->end; c++) {
		struct touch *t = touch_of(j, x, c);

		if (t->from != NONE)
			j->touch[t->from].unread++;
		if (!x->writes)
			continue;
		j->writer[c] = t->hides;
		*(t->prev == NONE ? &j->list[c] : &j->touch[t->prev].next) =
			x->touch + c - x->first;
		if (t->next != NONE)
			j->touch[t->next].prev = x->touch + c - x->first;
	}
	j->set -= mix(i + UINT64_C(0x9e3779b97f4a7c15));
	j->left += x->must;
	j->state.poison = x->was_poison;
	x->placed = false;
	*(x->prev == NONE ? &j->head : &j->node[x->prev].next) = i;
	if (x->next != NONE)
		j->node[x->next].prev = i;
}

/* Why an operation cannot be next. */
enum obstacle { FREE, LATER, AGENT, POISON, VALUE, UNREAD, CLUSTER };

/* An unplaced cluster of the cell that has to come before this write. */
static uint32_t cluster_before(const struct judge *j, const struct node *x, uint32_t cell)
{
	uint32_t own = x->touch + cell - x->first, t = j->list[cell];

	if (t == own)
		t = j->touch[t].next;
	return t != NONE && j->touch[t].first_done < j->touch[own].last_posted ? t : NONE;
}

static enum obstacle obstacle(const struct judge *j, uint32_t i, uint32_t *cell)
{
	const struct node *x = &j->node[i];

	if (x->before != NONE && !j->node[x->before].placed)
		return AGENT;
	if (entry_reads(x->e) && j->state.poison != (x->e->status == HSL_ST_POISON))
		return POISON;
	for (uint32_t c = x->first; c < x->end; c++) {
		const struct touch *t = touch_of(j, x, c);
		uint32_t off = j->cell_off[c] - line_offset(x);

		*cell = c;
		if (x->reads && memcmp(x->reads + off, j->state.data + j->cell_off[c],
				       j->cell_off[c + 1] - j->cell_off[c]))
			return VALUE;
		if (!x->writes)
			continue;
		if (j->touch[j->writer[c]].unread > (t->from == j->writer[c]))
			return UNREAD;
		if (cluster_before(j, x, c) != NONE)
			return CLUSTER;
	}
	return FREE;
}

static uint32_t unplaced_reader(const struct judge *j, uint32_t write, uint32_t cell)
{
	for (uint32_t i = j->head; i != NONE; i = j->node[i].next) {
		const struct node *x = &j->node[i];

		if (x->reads && cell >= x->first && cell < x->end &&
		    touch_of(j, x, cell)->from == write)
			return i;
	}
	return j->n;
}

static void say_obstacle(struct judge *j, uint32_t i, enum obstacle what, uint32_t cell)
{
	const struct node *x = &j->node[i];
	uint32_t t, own;
	char a[32], b[32];

	say(j->why, "\n  ");
	say_node(j, i);
	say(j->why, "\n    ");
	if (what >= VALUE)
		say_cell(j, cell);
	switch (what) {
	case AGENT:
		say(j->why, "%s was posted by the same agent before it", name(j, x->before, a));
		break;
	case POISON:
		say(j->why, j->state.poison ? "the line is poison" : "the line is no poison");
		break;
	case VALUE:
		t = touch_of(j, x, cell)->from;
		say(j->why, ": the line holds ");
		say_bytes(j->why, j->state.data + j->cell_off[cell],
			  j->cell_off[cell + 1] - j->cell_off[cell]);
		say(j->why, " of %s", name(j, j->touch[j->writer[cell]].node, a));
		if (t != NONE)
			say(j->why, ", it returned that of %s", name(j, j->touch[t].node, b));
		break;
	case UNREAD:
		say(j->why, ": hides %s, which %s has yet to read",
		    name(j, j->touch[j->writer[cell]].node, a),
		    name(j, unplaced_reader(j, j->writer[cell], cell), b));
		break;
	case CLUSTER:
		own = x->touch + cell - x->first;
		t = cluster_before(j, x, cell);
		say(j->why,
		    ": %s comes first: it or who read it was done at call %llu, before call %llu, "
		    "when this or who read it was posted",
		    name(j, j->touch[t].node, a), (unsigned long long)j->touch[t].first_done,
		    (unsigned long long)j->touch[own].last_posted);
		break;
	default: say(j->why, "may be next"); break;
	}
}

/* Candidates for the next place by time: posted before any other unplaced one was done. */
static uint32_t next_in_time(const struct judge *j, uint32_t i, uint64_t *done)
{
	if (i == NONE || j->node[i].t0 > *done)
		return NONE;
	if (j->node[i].t1 < *done)
		*done = j->node[i].t1;
	return i;
}

static void explain_dead_end(struct judge *j)
{
	uint64_t done = UINT64_MAX;
	uint32_t i, cell = 0, told = 0;

	if (j->explained != NONE && j->placed <= j->explained)
		return;
	j->explained = j->placed;
	j->why[0] = '\0';
	say(j->why,
	    "line 0x%llx: of %u operations %u can be ordered, then none of these can be next:",
	    (unsigned long long)(j->node[0].e->ga & ~(HSL_LINE_BYTES - UINT64_C(1))), j->n,
	    j->placed);
	for (i = next_in_time(j, j->head, &done); i != NONE;
	     i = next_in_time(j, j->node[i].next, &done)) {
		enum obstacle what = obstacle(j, i, &cell);

		if (told++ < EXPLAINED_MAX)
			say_obstacle(j, i, what, cell);
	}
	if (told > EXPLAINED_MAX)
		say(j->why, "\n  and %u more", told - EXPLAINED_MAX);
}

static void push_choice(struct judge *j, uint32_t i)
{
	if (j->choices == j->choice_room) {
		j->choice_room = 2 * j->choice_room + 64;
		j->choice = realloc(j->choice, j->choice_room * sizeof(*j->choice));
		if (!j->choice)
			abort();
	}
	j->choice[j->choices++] = i;
}

/* The operations that may be next: one read, or all writes, the best first; none at a dead end. */
static uint32_t find_choices(struct judge *j)
{
	uint64_t done = UINT64_MAX;
	uint32_t first = j->choices, cell, i;

	for (i = next_in_time(j, j->head, &done); i != NONE;
	     i = next_in_time(j, j->node[i].next, &done)) {
		if (obstacle(j, i, &cell) != FREE)
			continue;
		if (!j->node[i].writes && j->node[i].e->kind != ORACLE_POISON) {
			j->choices = first;
			push_choice(j, i);
			return 1;
		}
		push_choice(j, i);
		for (uint32_t k = j->choices - 1;
		     k > first && j->node[j->choice[k - 1]].key > j->node[i].key; k--) {
			j->choice[k] = j->choice[k - 1];
			j->choice[k - 1] = i;
		}
	}
	return j->choices - first;
}

static uint64_t situation(const struct judge *j)
{
	uint64_t h = j->set + j->state.poison;

	for (uint32_t c = 0; c < j->cells; c++)
		h = mix(h ^ j->writer[c]) + c;
	for (uint32_t b = 0; b < HSL_LINE_BYTES; b++)
		h = mix(h ^ j->state.data[b]) + b;
	return h ? h : 1;
}

static bool has_failed(struct judge *j, uint64_t hash, bool add)
{
	uint32_t at;

	if (add && 2 * j->failures >= j->failed_room) {
		uint64_t *old = j->failed;
		uint32_t room = j->failed_room;

		j->failed_room = room ? 2 * room : 1024;
		j->failed = array(j->failed_room, sizeof(*j->failed));
		j->failures = 0;
		for (uint32_t k = 0; k < room; k++) {
			if (old[k])
				has_failed(j, old[k], true);
		}
		free(old);
	}
	if (!j->failed_room)
		return false;
	for (at = (uint32_t)hash & (j->failed_room - 1); j->failed[at];
	     at = (at + 1) & (j->failed_room - 1)) {
		if (j->failed[at] == hash)
			return true;
	}
	if (add) {
		j->failed[at] = hash;
		j->failures++;
	}
	return false;
}

/* To the last choice that has an alternative left. False: there is none, so there is no order. */
static bool go_back(struct judge *j)
{
	j->stats->backtracks++;
	while (j->frames) {
		struct frame *f = &j->frame[j->frames - 1];

		while (j->placed > f->placed)
			take_back(j);
		if (!f->hash)
			f->hash = situation(j);
		if (f->next < f->end && !has_failed(j, f->hash, false)) {
			j->choices = f->end;
			place(j, j->choice[f->next++]);
			return true;
		}
		has_failed(j, f->hash, true);
		j->choices = f->first;
		j->frames--;
	}
	return false;
}

static bool search(struct judge *j)
{
	uint64_t steps = 0, max = STEPS_MAX + UINT64_C(8) * j->n;

	while (j->left) {
		uint32_t first = j->choices, k = find_choices(j);
		uint64_t hash = 0;
		bool dead = !k;

		j->stats->steps++;
		if (++steps > max) {
			say(j->why, "\n(undecided after %llu steps)", (unsigned long long)steps);
			return false;
		}
		if (dead)
			explain_dead_end(j);
		if (k > 1 && j->failures) {
			hash = situation(j);
			dead = has_failed(j, hash, false);
		}
		if (dead) {
			j->choices = first;
			if (!go_back(j))
				return false;
			continue;
		}
		if (k > 1)
			j->frame[j->frames++] =
				(struct frame){ j->placed, first, first + 1, first + k, hash };
		else
			j->choices = first;
		place(j, j->choice[first]);
	}
	return true;
}

struct agents { /* of whom the last operation is remembered */
	struct {
		uint16_t agent;
		uint32_t last;
	} * of;
	uint32_t n;
};

static uint32_t *last_of(struct agents *a, uint16_t agent)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->of[i].agent == agent)
			return &a->of[i].last;
	}
	a->of[a->n].agent = agent;
	a->of[a->n].last = NONE;
	return &a->of[a->n++].last;
}

static void link_agents(struct judge *j)
{
	struct agents a = { .of = array(j->n, sizeof(*a.of)) };

	for (uint32_t i = 0; i < j->n; i++) {
		struct node *x = &j->node[i];
		uint32_t *last = last_of(&a, x->e->agent);

		x->before = *last;
		if (x->must && x->e->kind != ORACLE_POISON)
			*last = i;
	}
	/* who takes effect before a later one that is done has taken effect by then */
	a.n = 0;
	for (uint32_t i = j->n; i-- > 0;) {
		struct node *x = &j->node[i];
		uint32_t *after = last_of(&a, x->e->agent);

		if (!x->must || x->e->kind == ORACLE_POISON)
			continue;
		if (*after != NONE && j->node[*after].t1 < x->t1)
			x->t1 = j->node[*after].t1;
		*after = i;
	}
	free(a.of);
}

bool judge_line(const struct entry *const *e, uint32_t n, const uint8_t *pool,
		struct line_state *state, struct oracle_stats *stats, char *why)
{
	struct judge j = { .n = n, .state = *state, .pool = pool, .stats = stats, .why = why };
	bool ok;

	stats->lines++;
	stats->judged += n;
	why[0] = '\0';
	j.node = array(n + 1, sizeof(*j.node));
	for (uint32_t i = 0; i < n; i++) {
		j.node[i].e = e[i];
		set_role(&j, &j.node[i]);
	}
	cut_cells(&j);
	link_agents(&j);
	make_touches(&j);
	ok = find_writers(&j);
	if (ok) {
		make_search(&j);
		ok = search(&j);
	}
	if (ok) {
		why[0] = '\0';
		*state = j.state;
	}
	free(j.node);
	free(j.touch);
	free(j.order);
	free(j.frame);
	free(j.choice);
	free(j.failed);
	return ok;
}
