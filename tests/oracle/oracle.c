// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The log, and what can be said without looking at values: every operation ends once, as its own
 * agent's, with a status and a value that its kind can have. The rest is judged line by line
 * (judge.c), when the log is cut or ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_priv.h"

struct known { /* a line whose operations were forgotten, or that oracle_memory told of */
	uint64_t line;
	struct line_state state;
	bool used;
};

struct oracle {
	struct entry *entry; /* kept ones, then those from number first on */
	uint64_t n, room, kept, first, outstanding, calls;
	uint8_t *pool;
	uint64_t pool_n, pool_room;
	struct known *known; /* hash table */
	uint64_t known_n, known_room;
	struct oracle_stats stats;
	char why[ORACLE_WHY_LEN];
};

static void *room_for(void *p, uint64_t need, uint64_t *room, size_t size)
{
	if (need <= *room)
		return p;
	*room = need + need / 2 + 64;
	p = realloc(p, *room * size);
	if (!p) {
		perror("oracle");
		abort();
	}
	return p;
}

struct oracle *oracle_new(void)
{
	return calloc(1, sizeof(struct oracle));
}

void oracle_free(struct oracle *o)
{
	if (!o)
		return;
	free(o->entry);
	free(o->pool);
	free(o->known);
	free(o);
}

static struct known *find_known(struct known *table, uint64_t room, uint64_t line)
{
	uint64_t at = (line / HSL_LINE_BYTES) * UINT64_C(0x9e3779b97f4a7c15) >> 20;

	for (at &= room - 1; table[at].used && table[at].line != line; at = (at + 1) & (room - 1))
		;
	return &table[at];
}

/* The state of a line before what is in the log; made of zeros if it is new. */
static struct line_state *line_state(struct oracle *o, uint64_t ga)
{
	uint64_t line = ga & ~(HSL_LINE_BYTES - UINT64_C(1));
	struct known *k;

	if (2 * o->known_n >= o->known_room) {
		uint64_t room = o->known_room ? 2 * o->known_room : 64;
		struct known *table = calloc(room, sizeof(*table));

		if (!table)
			abort();
		for (uint64_t i = 0; i < o->known_room; i++) {
			if (o->known[i].used)
				*find_known(table, room, o->known[i].line) = o->known[i];
		}
		free(o->known);
		o->known = table;
		o->known_room = room;
	}
	k = find_known(o->known, o->known_room, line);
	if (!k->used) {
		*k = (struct known){ .line = line, .used = true };
		o->known_n++;
	}
	return &k->state;
}

void oracle_memory(struct oracle *o, uint64_t ga, const uint8_t data[HSL_LINE_BYTES], bool poison)
{
	struct line_state *s = line_state(o, ga);

	memcpy(s->data, data, sizeof(s->data));
	s->poison = poison;
}

static uint64_t keep_bytes(struct oracle *o, const uint8_t *data, uint8_t len)
{
	uint64_t at = o->pool_n;

	o->pool = room_for(o->pool, at + len, &o->pool_room, 1);
	memcpy(o->pool + at, data, len);
	o->pool_n += len;
	return at;
}

uint64_t oracle_post(struct oracle *o, const struct oracle_op *op)
{
	struct entry *e;

	if (op->kind >= ORACLE_KINDS || op->len < 1 ||
	    op->ga % HSL_LINE_BYTES + op->len > HSL_LINE_BYTES ||
	    (op->kind == ORACLE_ATOMIC && op->len != 4 && op->len != 8)) {
		fprintf(stderr, "oracle: an operation that no agent may accept was posted\n");
		abort();
	}
	o->entry = room_for(o->entry, o->n + 1, &o->room, sizeof(*o->entry));
	e = &o->entry[o->n++];
	*e = (struct entry){
		.number = o->stats.ops++,
		.ga = op->ga,
		.arg0 = op->arg0,
		.arg1 = op->arg1,
		.posted = ++o->calls,
		.posted_ps = op->ps,
		.bytes = UINT64_MAX,
		.agent = op->agent,
		.kind = op->kind,
		.len = op->len,
		.subop = op->subop,
	};
	if (op->kind == ORACLE_STORE || op->kind == ORACLE_WRITE)
		e->bytes = keep_bytes(o, op->data, op->len);
	o->outstanding++;
	return e->number;
}

/* An English sentence, or NULL. */
static const char *check_result(const struct entry *e, const struct oracle_result *r)
{
	if (r->status != HSL_ST_OK && r->status != HSL_ST_POISON && r->status != HSL_ST_UNREACHABLE)
		return "ended with a status that no access can have";
	if (r->status == HSL_ST_POISON && !entry_reads(e))
		return "reads nothing and ended with POISON";
	if (e->kind == ORACLE_ATOMIC && e->len == 4 && r->status == HSL_ST_OK && r->value >> 32)
		return "has an old value that is not zero-extended";
	return NULL;
}

bool oracle_done(struct oracle *o, uint64_t number, uint16_t agent, const struct oracle_result *r)
{
	const char *wrong = NULL;
	struct entry *e = NULL;

	if (number >= o->stats.ops)
		wrong = "was never posted and is done";
	else if (number < o->first || o->entry[o->kept + number - o->first].done)
		wrong = "is done a second time";
	else
		e = &o->entry[o->kept + number - o->first];
	if (e && e->agent != agent)
		wrong = "was posted by another agent than told to be done by";
	else if (e)
		wrong = check_result(e, r);
	if (wrong) {
		if (!o->why[0])
			snprintf(o->why, sizeof(o->why), "operation #%llu (done by agent 0x%x) %s",
				 (unsigned long long)number, agent, wrong);
		return false;
	}
	e->done = ++o->calls;
	e->done_ps = r->ps;
	e->status = r->status;
	e->value = r->value;
	if ((e->kind == ORACLE_LOAD || e->kind == ORACLE_READ) && r->status == HSL_ST_OK)
		e->bytes = keep_bytes(o, r->data, e->len);
	o->outstanding--;
	return true;
}

static int compare_line(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a,
			   *y = *(const struct entry *const *)b;
	uint64_t i = x->ga / HSL_LINE_BYTES, k = y->ga / HSL_LINE_BYTES;

	if (i != k)
		return i < k ? -1 : 1;
	return x->posted < y->posted ? -1 : x->posted > y->posted;
}

/* Does the last operation tell the whole line, after all others are done? */
static bool pinned(const struct entry *const *e, uint64_t n)
{
	const struct entry *last = e[n - 1];

	if ((last->kind != ORACLE_LOAD && last->kind != ORACLE_READ) ||
	    last->len != HSL_LINE_BYTES || last->status != HSL_ST_OK)
		return false;
	for (uint64_t i = 0; i < n - 1; i++) {
		if (e[i]->done > last->posted || e[i]->status == HSL_ST_UNREACHABLE)
			return false;
	}
	return true;
}

/* Operations that are kept move to the front, their bytes to a new pool. */
static void forget(struct oracle *o, const struct entry *const *kept, uint64_t n)
{
	struct oracle old = *o;

	o->entry = NULL;
	o->pool = NULL;
	o->n = o->room = o->pool_n = o->pool_room = 0;
	o->entry = room_for(NULL, n, &o->room, sizeof(*o->entry));
	for (uint64_t i = 0; i < n; i++) {
		struct entry *e = &o->entry[o->n++];

		*e = *kept[i];
		if (e->bytes != UINT64_MAX)
			e->bytes = keep_bytes(o, old.pool + e->bytes, e->len);
	}
	o->kept = n;
	o->first = o->stats.ops;
	free(old.entry);
	free(old.pool);
}

static bool judge(struct oracle *o, bool all)
{
	const struct entry **e = malloc((o->n + 1) * sizeof(*e));
	uint64_t n = 0, kept = 0, end;
	bool ok = !o->why[0];

	if (!e)
		abort();
	for (uint64_t i = 0; i < o->n; i++) {
		if (o->entry[i].kind != ORACLE_FLUSH)
			e[n++] = &o->entry[i];
	}
	qsort(e, n, sizeof(*e), compare_line);
	for (uint64_t at = 0; at < n && ok; at = end) {
		for (end = at + 1;
		     end < n && e[end]->ga / HSL_LINE_BYTES == e[at]->ga / HSL_LINE_BYTES; end++)
			;
		if (all || pinned(e + at, end - at)) {
			ok = judge_line(e + at, (uint32_t)(end - at), o->pool,
					line_state(o, e[at]->ga), &o->stats, o->why);
			continue;
		}
		memmove(e + kept, e + at, (end - at) * sizeof(*e));
		kept += end - at;
	}
	if (ok)
		forget(o, e, kept);
	free(e);
	return ok;
}

bool oracle_cut(struct oracle *o)
{
	if (o->outstanding) {
		fprintf(stderr, "oracle: cut while %llu operations are outstanding\n",
			(unsigned long long)o->outstanding);
		abort();
	}
	return judge(o, false);
}

bool oracle_end(struct oracle *o)
{
	for (uint64_t i = 0; i < o->n && !o->why[0]; i++) {
		if (!o->entry[i].done)
			snprintf(o->why, sizeof(o->why),
				 "operation #%llu of agent 0x%x on 0x%llx was never done",
				 (unsigned long long)o->entry[i].number, o->entry[i].agent,
				 (unsigned long long)o->entry[i].ga);
	}
	return judge(o, true);
}

const char *oracle_why(const struct oracle *o)
{
	return o->why;
}

void oracle_stats(const struct oracle *o, struct oracle_stats *out)
{
	*out = o->stats;
}
