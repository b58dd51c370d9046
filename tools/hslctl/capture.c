// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslctl capture: what the link ends of chips send and receive, as a pcapng file (docs/capture.md).
 *
 * Each chip keeps its records until they are taken, so chips are emptied in rounds. A file is easier to read in the
 * order of time: what is not later than the newest record of the round before was already waiting when this
 * round began, at every chip, so after a round everything up to there can be sorted and written. An end of a link becomes an
 * interface of the file with its first record.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "hsl/ctf.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"
#include "model/pcapng.h"
#include "progress.h"

#define POLL_MS 5

struct record {
	uint64_t time_ps, order;
	uint32_t chip; /* index */
	uint8_t bytes[HSL_CTF_RECORD_BYTES];
};

struct chip {
	uint32_t node;
	struct hsl_ctf *ctf;
	uint64_t room; /* records that it keeps */
	uint64_t lost;
	int32_t end[HSL_LINK_MAX]; /* interface of the file, -1: none yet */
};

struct capture {
	const struct ctl_args *a;
	struct hsl_fabric *f;
	FILE *out;
	const char *name;
	struct chip *chip;
	unsigned int nchips;
	struct record *held; /* not written yet */
	size_t nheld, held_max;
	uint64_t newest_ps;
	uint64_t taken, flits, sets, states;
	int32_t nends;
	struct json_object *ends;
};

/* ---- the file ---- */

static int write_block(struct capture *c, const uint8_t *buf, size_t len)
{
	return fwrite(buf, 1, len, c->out) == len ? TOOL_PASS : tool_not_written(c->a->file, -errno);
}

static int write_section(struct capture *c)
{
	uint8_t buf[HSL_PCAPNG_BLOCK_MAX];
	char application[64];

	snprintf(application, sizeof(application), "hslctl %s", hsl_version());
	return write_block(c, buf, hsl_pcapng_section(buf, tool_fabric_name(c->a->url), application));
}

/* The end that a record is from: link block and node at the other side. */
static int write_end(struct capture *c, struct chip *chip, const struct hsl_pcapng_hdr *h, uint32_t seq_bits)
{
	struct hsl_link_cfg cfg = { .seq_bits = seq_bits };
	struct hsl_pcapng_end e = { .node = (uint16_t)chip->node, .cfg = &cfg };
	struct hsl_link_props l = { .size = sizeof(l) };
	uint8_t buf[HSL_PCAPNG_BLOCK_MAX];
	struct json_object *o;

	e.peer = h->src == chip->node ? h->dst : h->src;
	if (!hsl_link_query(c->f, chip->node, h->link, &l))
		e.bits_per_s = (uint64_t)l.width * l.rate_mtps * 1000000;
	chip->end[h->link] = c->nends++;
	o = tool_json_append(c->ends, tool_json_object());
	tool_json_u64(o, "node", e.node);
	tool_json_u64(o, "link", h->link);
	tool_json_u64(o, "peer", e.peer);
	return write_block(c, buf, hsl_pcapng_end(buf, &e));
}

static int write_record(struct capture *c, const struct record *r)
{
	struct chip *chip = &c->chip[r->chip];
	const uint8_t *body = r->bytes + sizeof(struct hsl_pcapng_hdr);
	uint8_t buf[HSL_PCAPNG_BLOCK_MAX];
	struct hsl_pcapng_state s;
	struct hsl_pcapng_at at;
	struct hsl_pcapng_hdr h;
	struct hsl_flit flit;
	struct hsl_ts ts;
	int code = TOOL_PASS;

	memcpy(&h, r->bytes, sizeof(h));
	if (h.version != HSL_PCAPNG_VERSION || h.link >= HSL_LINK_MAX) {
		tool_error("chip %u: a record of another version (%u, link %u)", chip->node, h.version, h.link);
		return TOOL_ENV;
	}
	at = (struct hsl_pcapng_at){
		.src = h.src, .dst = h.dst, .link = h.link, .seq_bits = h.flags >> 4,
		.rx = h.flags & HSL_PCAPNG_F_RX, .time_ps = h.time_ps,
	};
	if (chip->end[h.link] < 0)
		code = write_end(c, chip, &h, at.seq_bits ? at.seq_bits : HSL_FLIT_SEQ_BITS);
	if (code != TOOL_PASS)
		return code;
	at.end = (uint32_t)chip->end[h.link];
	switch (h.kind) {
	case HSL_PCAPNG_FLIT:
		c->flits++;
		memcpy(&flit, body, sizeof(flit));
		return write_block(c, buf, hsl_pcapng_flit(buf, &at, &flit));
	case HSL_PCAPNG_TS:
		c->sets++;
		memcpy(&ts, body, sizeof(ts));
		return write_block(c, buf, hsl_pcapng_ts(buf, &at, &ts));
	case HSL_PCAPNG_STATE:
		c->states++;
		memcpy(&s, body, sizeof(s));
		return write_block(c, buf, hsl_pcapng_state(buf, &at, s.state, s.width, s.rate_mtps));
	default:
		tool_error("chip %u: a record of kind %u", chip->node, h.kind);
		return TOOL_ENV;
	}
}

static int earlier(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	if (x->time_ps != y->time_ps)
		return x->time_ps < y->time_ps ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* What is held up to a time. */
static int write_until(struct capture *c, uint64_t until_ps)
{
	int code = TOOL_PASS;
	size_t n = 0;

	qsort(c->held, c->nheld, sizeof(*c->held), earlier);
	while (code == TOOL_PASS && n < c->nheld && c->held[n].time_ps <= until_ps)
		code = write_record(c, &c->held[n++]);
	c->nheld -= n;
	memmove(c->held, c->held + n, c->nheld * sizeof(*c->held));
	return code;
}

/* ---- the chips ---- */

static int refused(const struct chip *chip, const char *what, int rc)
{
	tool_error("chip %u: %s: %s", chip->node, what, ctl_ctf_error(rc));
	return TOOL_ENV;
}

static int start(struct capture *c, struct chip *chip)
{
	uint64_t arg[3] = { HSL_CTF_CAPTURE_TX | HSL_CTF_CAPTURE_RX }, result[2];
	uint32_t link = c->a->link;
	int rc;

	if (link == CTL_LINK_ALL) {
		link = 0;
		arg[0] |= HSL_CTF_CAPTURE_ALL_LINKS;
	}
	rc = hsl_ctf_command(chip->ctf, link, HSL_CTF_CMD_CAPTURE, arg, result);
	if (rc)
		return refused(chip, "capture", rc);
	chip->room = result[0];
	return TOOL_PASS;
}

/* What waits stays. */
static int stop(struct chip *chip)
{
	int rc = hsl_ctf_command(chip->ctf, 0, HSL_CTF_CMD_CAPTURE, NULL, NULL);

	return rc ? refused(chip, "end of the capture", rc) : TOOL_PASS;
}

static struct record *new_record(struct capture *c)
{
	if (c->nheld == c->held_max) {
		size_t max = c->held_max ? 2 * c->held_max : 1024;
		struct record *more = realloc(c->held, max * sizeof(*more));

		if (!more)
			return NULL;
		c->held = more;
		c->held_max = max;
	}
	return &c->held[c->nheld];
}

/* One record, if the chip has one. */
static int take(struct capture *c, uint32_t index, bool *got)
{
	struct chip *chip = &c->chip[index];
	struct hsl_pcapng_hdr h;
	uint64_t result[2];
	struct record *r;
	int rc;

	*got = false;
	rc = hsl_ctf_command(chip->ctf, 0, HSL_CTF_CMD_NEXT, NULL, result);
	if (rc)
		return refused(chip, "next record", rc);
	chip->lost = result[1];
	if (!result[0])
		return TOOL_PASS;
	r = new_record(c);
	if (!r) {
		tool_error("out of memory");
		return TOOL_ENV;
	}
	rc = hsl_ctf_record(chip->ctf, r->bytes);
	if (rc)
		return refused(chip, "record", rc);
	memcpy(&h, r->bytes, sizeof(h));
	r->time_ps = h.time_ps;
	r->order = c->taken++;
	r->chip = index;
	c->nheld++;
	*got = true;
	return TOOL_PASS;
}

/* What waits at the chips as it begins; *any: there was something. */
static int round_of_chips(struct capture *c, bool *any)
{
	uint64_t before_ps = c->newest_ps;
	size_t first = c->nheld;
	int code = TOOL_PASS;
	bool got;

	*any = false;
	for (uint32_t i = 0; i < c->nchips; i++) {
		got = true;
		for (uint64_t n = 0; code == TOOL_PASS && got && n < c->chip[i].room; n++) {
			code = take(c, i, &got);
			*any |= got;
		}
	}
	for (size_t i = first; i < c->nheld; i++)
		if (c->held[i].time_ps > c->newest_ps)
			c->newest_ps = c->held[i].time_ps;
	return code == TOOL_PASS ? write_until(c, before_ps) : code;
}

static int open_chips(struct capture *c)
{
	struct hsl_chip_props *p = NULL;
	uint32_t first, end;
	unsigned int n = 0;
	int code;

	code = ctl_chips(c->a, c->f, &p, &n);
	c->chip = tool_calloc(n, sizeof(*c->chip));
	for (unsigned int i = 0; code == TOOL_PASS && i < n; i++) {
		struct chip *chip = &c->chip[i];

		chip->node = p[i].node;
		for (unsigned int k = 0; k < HSL_LINK_MAX; k++)
			chip->end[k] = -1;
		code = ctl_links(c->a, &p[i], &first, &end);
		if (code == TOOL_PASS)
			code = ctl_ctf_open(c->f, chip->node, &chip->ctf);
		if (code != TOOL_PASS)
			break;
		c->nchips++;
		code = start(c, chip);
	}
	free(p);
	return code;
}

static int run(struct capture *c, int *status)
{
	struct ctl_run r;
	bool any = false;
	int code;

	code = ctl_run_begin(&r, c->a, c->out == stdout);
	if (code != TOOL_PASS)
		return code;
	while (code == TOOL_PASS && ctl_run_wait(&r, -1, any ? 0 : POLL_MS)) {
		code = round_of_chips(c, &any);
		tool_progress("%" PRIu64 " records", c->taken);
	}
	*status = ctl_run_end(&r);
	for (unsigned int i = 0; code == TOOL_PASS && i < c->nchips; i++)
		code = stop(&c->chip[i]);
	if (code == TOOL_PASS)
		code = round_of_chips(c, &any);
	/* what is held, after an error too */
	tool_progress_clear();
	return write_until(c, UINT64_MAX) == TOOL_PASS ? code : TOOL_ENV;
}

/* ---- the verb ---- */

static void report(const struct capture *c, struct json_object *doc)
{
	/* neither the file's bytes nor a command's output may be ours */
	FILE *out = c->out == stdout || c->a->command ? stderr : stdout;
	uint64_t lost = 0;

	for (unsigned int i = 0; i < c->nchips; i++)
		lost += c->chip[i].lost;
	tool_json_str(doc, "file", c->name);
	tool_json_u64(doc, "records", c->taken);
	tool_json_u64(doc, "flits", c->flits);
	tool_json_u64(doc, "training_sets", c->sets);
	tool_json_u64(doc, "states", c->states);
	tool_json_u64(doc, "lost", lost);
	if (c->a->json)
		return;
	fprintf(out, "%s: %" PRIu64 " flits, %" PRIu64 " training sets, %" PRIu64 " states of %" PRId32 " link end%s\n",
		c->name, c->flits, c->sets, c->states, c->nends, c->nends == 1 ? "" : "s");
	if (lost)
		fprintf(out, "%" PRIu64 " more were lost: the links were faster than the capture\n", lost);
}

static int open_file(struct capture *c)
{
	c->name = !strcmp(c->a->file, "-") ? "standard output" : c->a->file;
	c->out = !strcmp(c->a->file, "-") ? stdout : fopen(c->a->file, "wbe");
	if (c->out)
		return TOOL_PASS;
	tool_error("%s: %s", c->name, strerror(errno));
	return TOOL_ENV;
}

static int close_file(struct capture *c, int code)
{
	bool failed = fflush(c->out) || ferror(c->out);

	if (c->out != stdout && fclose(c->out))
		failed = true;
	return failed && code == TOOL_PASS ? tool_not_written(c->a->file, -errno) : code;
}

static int capture(struct capture *c, struct json_object *doc, int *status)
{
	int code;

	code = open_chips(c);
	if (code == TOOL_PASS)
		code = open_file(c);
	if (code == TOOL_PASS) {
		code = write_section(c);
		if (code == TOOL_PASS)
			code = run(c, status);
		report(c, doc);
		code = close_file(c, code);
	}
	for (unsigned int i = 0; i < c->nchips; i++)
		hsl_ctf_close(c->chip[i].ctf);
	free(c->chip);
	free(c->held);
	return code;
}

int ctl_capture(const struct ctl_args *a)
{
	struct json_object *doc = ctl_document("capture");
	struct capture c = { .a = a };
	int code, status = TOOL_PASS;

	c.ends = tool_json_set(doc, "ends", tool_json_array());
	if (a->json && !strcmp(a->file, "-"))
		code = tool_usage("capture: -w - and --json both want standard output");
	else
		code = tool_fabric_open(a->url, &c.f);
	if (code == TOOL_PASS) {
		code = capture(&c, doc, &status);
		hsl_fabric_close(c.f);
	}
	if (code == TOOL_PASS && a->json)
		return ctl_document_end(doc, status);
	tool_json_free(doc);
	return code == TOOL_PASS ? status : code;
}
