/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The PICS form: each item with what the device claims (registers, DVSEC, the HELLO of a flit socket), what its maker answers in a
 * file, and what the tests of the requirements came to that are about it. Where two of these disagree, the item says so: a form that
 * was copied from another chip, or a capability that does not work.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "doc.h"
#include "dut.h"
#include "exit.h"
#include "file.h"
#include "json.h"
#include "pics.h"
#include "size.h"

enum kind { VALUE, EXACT, YES_NO, CLASSES }; /* of an answer: a text or number, one as the device says it, true or false, a list of classes */

static const struct item {
	const char *id, *feature, *where, *status;
	enum kind kind;
	uint64_t cap;		  /* HSL_CAP_* that claim it, all of them; 0: nothing that software reads */
	const char *requirements; /* that a claim is judged by, as hsltest run takes them */
	bool mandatory;		  /* of who has the bits of cap */
} items[] = {
	{ "P1", "maker; chip; revision; firmware", "PCI ids", "mandatory", VALUE, 0, "", false },
	{ "P2", "HEP version", "DVSEC, VERSION", "mandatory", EXACT, 0, "REG-002", false },
	{ "P3", "classes claimed", "", "mandatory", CLASSES, 0, "", false },
	{ "P4", "needs its maker's driver; its name", "DVSEC 0x0c [17]", "optional", VALUE, 0, "REG-014", false },
	{ "P5", "chip memory, bytes", "MEM_SIZE", "at least 128 MiB", VALUE, 0, "REG-012", false },
	{ "P6", "queues; largest depth", "NQUEUES, MAX_DEPTH", "at least 2 with the admin queue; depth at least 2, SHOULD 64", VALUE, 0, "QUE-009", false },
	{ "P7", "longest command", "MAX_LEN", "at least 4 KiB, SHOULD 64 MiB", VALUE, 0, "TXN-008", false },
	{ "P8", "contexts; MSI-X vectors", "NCONTEXTS, NVECTORS", "at least 2; at least 1", VALUE, 0, "", false },
	{ "P9", "links; widths; rates", "NLINKS, LINK(i)", "optional", VALUE, 0, "LNK-003", false },
	{ "C1", "CPU accesses of memory and direct windows are coherent", "CAP [0]", "optional", YES_NO, HSL_CAP_HOST_COHERENT, "MAP-005", false },
	{ "C2", "CPU locked operations are atomic against the chip's", "CAP [1]", "optional", YES_NO, HSL_CAP_HOST_ATOMIC, "ATM-004", false },
	{ "C3", "windows", "CAP [2], NWINDOWS", "optional", YES_NO, HSL_CAP_WINDOWS, "MAP-014 MAP-015", false },
	{ "C4", "modelled (observable) memory, coherent by section 12", "CAP [3]", "optional; HEP-Coherent: mandatory", YES_NO, HSL_CAP_MODELLED,
	  "COH-* MAP-026 MAP-027", false },
	{ "C5", "compliance test facility", "CAP [4], CTF CAP", "optional; HEP-Link: mandatory", YES_NO, HSL_CAP_CTF, "CTF-*", false },
	{ "C6", "counters", "CAP [5]", "optional; HEP-Link: mandatory", YES_NO, HSL_CAP_COUNTERS, "RAS-006 RAS-007", false },
	{ "C7", "modelled time", "CAP [6]", "optional: emulators", YES_NO, HSL_CAP_MODELLED_TIME, "", false },
	{ "C8", "temperature, power, throttling", "CAP [7]", "optional", YES_NO, HSL_CAP_SENSORS, "RAS-010", false },
	{ "O1", "NOP, and admin commands 0x80 to 0x84", "", "mandatory", YES_NO, 0, "TXN-001 TXN-002", false },
	{ "O2", "COPY, FILL", "CAP [16], [17]", "mandatory", YES_NO, HSL_CAP_OP_COPY | HSL_CAP_OP_FILL, "TXN-004 TXN-005 TXN-006", true },
	{ "O3", "REDUCE", "CAP [18]", "optional", YES_NO, HSL_CAP_OP_REDUCE, "TXN-013 TXN-014 TXN-015 TXN-016", false },
	{ "O4", "ATOMIC", "CAP [19]", "optional", YES_NO, HSL_CAP_OP_ATOMIC, "ATM-001 ATM-002 ATM-003", false },
	{ "O5", "LOAD, STORE", "CAP [20]", "optional", YES_NO, HSL_CAP_OP_LOADSTORE, "TXN-017 ATM-006", false },
	{ "O6", "SIGNAL, WAIT", "CAP [21]", "optional", YES_NO, HSL_CAP_OP_SIGNAL, "TXN-022 TXN-023 TXN-024 TXN-025", false },
	{ "O7", "FENCE", "CAP [22]", "optional", YES_NO, HSL_CAP_OP_FENCE, "ORD-004", false },
	{ "O8", "COPY2D", "CAP [23]", "optional", YES_NO, HSL_CAP_OP_COPY2D, "TXN-018", false },
	{ "O9", "COPY_LIST", "CAP [24]", "optional", YES_NO, HSL_CAP_OP_COPY_LIST, "TXN-019", false },
	{ "Q1", "interrupt moderation", "CAP [32]", "optional", YES_NO, HSL_CAP_MODERATION, "QUE-019", false },
	{ "Q2", "shadow tails", "CAP [33]", "optional", YES_NO, HSL_CAP_SHADOW_TAIL, "QUE-020 QUE-021 QUE-022", false },
	{ "L1", "b, W, R, u, receive slots, replay and acknowledge times (section 8.3)", "", "HEP-Link: mandatory", VALUE, 0, "LNK-004 LNK-005 LNK-006", false },
	{ "L2", "profile numbers of section 9 that apply", "", "HEP-Link: mandatory", VALUE, 0, "", false },
	{ "X1", "longest time that a packet can be under way; timeout of requests (section 12)", "", "HEP-Coherent: mandatory", VALUE, 0, "TXN-027 TXN-028",
	  false },
	{ "X2", "sizes of caches and directory", "", "HEP-Coherent: optional", VALUE, 0, "COH-008", false },
};
#define NITEMS (sizeof(items) / sizeof(items[0]))

/* ------------------------------------------------------------------ the maker's answers */

static const char *const class_names[] = { "Base", "Link", "Coherent" };

static int class_of(struct json_object *name)
{
	for (int c = HT_BASE; c <= HT_COHERENT; c++) {
		if (json_object_is_type(name, json_type_string) && !strcmp(json_object_get_string(name), class_names[c]))
			return c;
	}
	return -1;
}

/* NULL, or what the answer has to be. */
static const char *unfit(const struct item *it, struct json_object *v)
{
	if (it->kind == YES_NO)
		return json_object_is_type(v, json_type_boolean) ? NULL : "true or false";
	if (it->kind == VALUE || it->kind == EXACT)
		return json_object_is_type(v, json_type_string) || json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double) ?
			       NULL : "a text or a number";
	if (!json_object_is_type(v, json_type_array) || !doc_len(v))
		return "a list of Base, Link and Coherent";
	for (size_t i = 0; i < doc_len(v); i++) {
		if (class_of(doc_at(v, i)) < 0)
			return "a list of Base, Link and Coherent";
	}
	return NULL;
}

int ht_pics_read(const char *path, struct json_object **answers)
{
	enum json_tokener_error err;
	size_t len, i;
	char *text = tool_file_read(path, &len);

	if (!text) {
		tool_error("%s: %s", path, strerror(errno));
		return TOOL_ENV;
	}
	*answers = json_tokener_parse_verbose(text, &err);
	free(text);
	if (!json_object_is_type(*answers, json_type_object)) {
		json_object_put(*answers);
		return tool_usage("--pics %s: not a JSON object of items and answers%s%s", path, err ? ": " : "", err ? json_tokener_error_desc(err) : "");
	}
	json_object_object_foreach(*answers, key, v) {
		const char *want = "an item of the form (docs/hep.md section 14.2): P1 to X2";

		for (i = 0; i < NITEMS && strcmp(items[i].id, key); i++) {
		}
		if (i < NITEMS)
			want = unfit(&items[i], v);
		if (want) {
			tool_usage("--pics %s: %s is not %s", path, i < NITEMS ? json_object_to_json_string(v) : key, want);
			json_object_put(*answers);
			return TOOL_USAGE;
		}
	}
	return TOOL_PASS;
}

/* ------------------------------------------------------------------ what the device claims */

static char *links_of(const struct ht_chip_probe *c)
{
	const struct hsl_link_props *l;

	if (!c->nlinks)
		return tool_printf("%u", c->props.nlinks);
	l = &c->link[0];
	return tool_printf("%u; x%u; %g GT/s", c->props.nlinks, l->max_width ? l->max_width : l->width,
			   (l->max_rate_mtps ? l->max_rate_mtps : l->rate_mtps) / 1000.0);
}

/* Of a chip; NULL: software does not see it. free() it. */
static char *claim_of(const struct item *it, const struct ht_probe *p, const struct ht_chip_probe *c)
{
	const struct hsl_fs_hello *h = &p->hello;
	char size[TOOL_SIZE_LEN];

	if (p->has_hello) { /* a link end: there are no registers */
		if (!h->lanes)
			return NULL;
		if (!strcmp(it->id, "P2"))
			return tool_printf("%u.%u", h->hep_version >> 16, h->hep_version & 0xffff);
		if (!strcmp(it->id, "P9"))
			return tool_printf("1; x%u; %g GT/s", h->lanes, (double)h->rate_mtps / 1000);
		if (!strcmp(it->id, "L1"))
			return tool_printf("b %u, W %u, R %u, u %u, slots %u %u %u %u %u", h->seq_bits, h->replay_flits, h->reorder, h->credit_shift,
					   h->rx_slots[0], h->rx_slots[1], h->rx_slots[2], h->rx_slots[3], h->rx_slots[4]);
		return NULL;
	}
	if (it->cap)
		return tool_printf("%s", (c->props.cap & it->cap) == it->cap ? "yes" : "no");
	if (!strcmp(it->id, "P2"))
		return tool_printf("%u.%u", c->props.hep_version >> 16, c->props.hep_version & 0xffff);
	if (!strcmp(it->id, "P5"))
		return tool_printf("%s", tool_size_format(c->props.mem_bytes, size, sizeof(size)));
	if (!strcmp(it->id, "P6"))
		return tool_printf("%u; %u", c->props.nqueues + 1, c->props.max_depth);
	if (!strcmp(it->id, "P7"))
		return tool_printf("%s", tool_size_format(c->props.max_len_bytes, size, sizeof(size)));
	if (!strcmp(it->id, "P9"))
		return links_of(c);
	return NULL;
}

/* Of all chips: what they have in common, or "chip 1: yes, chip 2: no". */
static char *claims(const struct item *it, const struct ht_probe *p)
{
	char *first = NULL, *text = NULL, *longer, *one;
	bool alike = true;

	for (unsigned int i = 0; i < p->nchips; i++) {
		one = claim_of(it, p, &p->chip[i]);
		if (!one) {
			free(first);
			free(text);
			return NULL;
		}
		longer = tool_printf("%s%schip %u: %s", text ? text : "", text ? ", " : "", p->chip[i].props.node, one);
		free(text);
		text = longer;
		if (first)
			alike &= !strcmp(first, one);
		else
			first = tool_printf("%s", one);
		free(one);
	}
	free(alike ? text : first);
	return alike ? first : text;
}

/* ------------------------------------------------------------------ what the tests say */

/* The gravest of the requirements that a claim is judged by; NULL: none is. */
static const struct ht_outcome *judged(const struct item *it, const struct ht_report *rep)
{
	const struct ht_outcome *worst = NULL;
	char globs[96], *list[16], *save = NULL;
	int n = 0;

	snprintf(globs, sizeof(globs), "%s", it->requirements);
	for (char *g = strtok_r(globs, " ", &save); g && n < 16; g = strtok_r(NULL, " ", &save))
		list[n++] = g;
	for (size_t k = 0; n && k < ht_requirement_count; k++) {
		const struct ht_test as_test = { .requirement = ht_requirements[k].id, .name = "" };

		if (ht_test_matches(&as_test, list, n) && (!worst || ht_gravity(rep->outcomes[k].verdict) > ht_gravity(worst->verdict)))
			worst = &rep->outcomes[k];
	}
	return worst;
}

static char *answer_text(struct json_object *v)
{
	struct json_object *o;
	char *text = NULL, *longer;

	if (!v)
		return NULL;
	if (json_object_is_type(v, json_type_boolean))
		return tool_printf("%s", json_object_get_boolean(v) ? "yes" : "no");
	if (!json_object_is_type(v, json_type_array))
		return tool_printf("%s", json_object_get_string(v));
	for (size_t i = 0; i < doc_len(v); i++) {
		o = doc_at(v, i);
		longer = tool_printf("%s%s%s", text ? text : "", text ? ", " : "", json_object_get_string(o));
		free(text);
		text = longer;
	}
	return text;
}

/* Classes that are claimed and failed. */
static char *failed_classes(const struct ht_report *rep, struct json_object *v)
{
	for (size_t i = 0; i < doc_len(v); i++) {
		const int c = class_of(doc_at(v, i));

		if (c >= 0 && (rep->classes[c].verdict == HT_CLASS_FAILED || rep->classes[c].verdict == HT_CLASS_NA))
			return tool_printf("%s is claimed, and is %s", class_names[c], ht_class_verdict_name(rep->classes[c].verdict));
	}
	return NULL;
}

/* By its status, of a class that the maker claims. */
static bool mandatory_of_class(const struct item *it, struct json_object *claimed)
{
	char text[32];

	for (size_t i = 0; i < doc_len(claimed); i++) {
		snprintf(text, sizeof(text), "HEP-%s: mandatory", json_object_get_string(doc_at(claimed, i)));
		if (strstr(it->status, text))
			return true;
	}
	return false;
}

/* What does not fit together; NULL: nothing. Values that people write in their own words are for people to compare. */
static char *contradiction(const struct item *it, const struct ht_report *rep, const char *claim, const char *answer, struct json_object *v,
			   const struct ht_outcome *o)
{
	const char *said = answer ? answer : claim;

	if (it->kind == CLASSES)
		return failed_classes(rep, v);
	if (it->kind != VALUE && claim && answer && strcmp(claim, answer))
		return tool_printf("the maker says %s, the device %s", answer, claim);
	if ((it->mandatory || (it->kind == YES_NO && mandatory_of_class(it, doc_get(rep->answers, "P3")))) && said && strcmp(said, "yes"))
		return tool_printf("it is mandatory, and not claimed");
	if (said && strcmp(said, "no") && o && o->verdict == HT_FAIL)
		return tool_printf("it is claimed, and %s failed", o->requirement->id);
	return NULL;
}

static void item_json(struct json_object *list, const struct item *it, const struct ht_report *rep)
{
	struct json_object *o = tool_json_append(list, tool_json_object()), *v = doc_get(rep->answers, it->id);
	char *claim = claims(it, rep->probe), *answer = answer_text(v), *wrong;
	const struct ht_outcome *outcome = judged(it, rep);

	wrong = contradiction(it, rep, claim, answer, v, outcome);
	tool_json_str(o, "item", it->id);
	tool_json_str(o, "feature", it->feature);
	tool_json_str(o, "found_in", *it->where ? it->where : NULL);
	tool_json_str(o, "status", it->status);
	tool_json_str(o, "claim", claim);
	tool_json_str(o, "answer", answer);
	tool_json_str(o, "requirements", *it->requirements ? it->requirements : NULL);
	tool_json_str(o, "verdict", outcome ? ht_verdict_name(outcome->verdict) : NULL);
	tool_json_str(o, "decided_by", outcome ? outcome->requirement->id : NULL);
	tool_json_str(o, "contradiction", wrong);
	free(claim);
	free(answer);
	free(wrong);
}

struct json_object *ht_pics_json(const struct ht_report *rep)
{
	struct json_object *pics = tool_json_object(), *list = tool_json_set(pics, "items", tool_json_array());

	for (size_t i = 0; i < NITEMS; i++)
		item_json(list, &items[i], rep);
	tool_json_bool(pics, "answered", rep->answers);
	tool_json_u64(pics, "contradictions", ht_pics_contradictions(pics));
	return pics;
}

unsigned int ht_pics_contradictions(struct json_object *pics)
{
	struct json_object *list = doc_get(pics, "items");
	unsigned int n = 0;

	for (size_t i = 0; i < doc_len(list); i++)
		n += *doc_str(doc_at(list, i), "contradiction") != 0;
	return n;
}
