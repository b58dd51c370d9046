// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Counters and the compliance test facility through the API. What a chip has to do in test mode is hsltest's; here it is
 * what the library makes of it: arguments, errors, results, who may have it and for how long.
 *
 * Traffic is commands of the first chip on observable memory of the second, over the link between them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/lib_cases.h"
#include "hsl/ctf.h"

#define LEN		4096u
#define COUNTERS_MAX	64u
#define NONE		UINT32_MAX

struct rig {
	struct hsl_ctf *c;		/* of the first chip */
	struct hsl_queue *q;
	struct hsl_segment *s;		/* observable, of the second chip */
	struct lib_mem host;
	uint64_t ga;
	uint32_t link;			/* of the first chip, to the second */
	uint32_t peer_link;
};

static bool has(struct lib_test *t, uint64_t cap, const char *what)
{
	struct hsl_chip_props p = { .size = sizeof(p) };

	if (!CHECK_EQ(t, hsl_chip_by_node(t->f, t->node[0], &p), 0))
		return false;
	if ((p.cap & cap) != cap)
		t->skipped = what;
	return (p.cap & cap) == cap;
}

static uint32_t link_to(struct lib_test *t, uint32_t node, uint32_t peer)
{
	struct hsl_link_props l = { .size = sizeof(l) };

	for (uint32_t i = 0; !hsl_link_query(t->f, node, i, &l); i++)
		if (l.peer == peer && l.peer_type == HSL_NODE_TYPE_CHIP)
			return i;
	return NONE;
}

static void rig_put(struct lib_test *t, struct rig *r)
{
	hsl_ctf_close(r->c);
	hsl_queue_destroy(r->q);
	CHECK_EQ(t, hsl_segment_free(r->s), 0);
	if (r->host.s)
		lib_mem_put(t, &r->host);
}

/* cmd: that the facility needs to have, 0: the facility is not opened. False: the case is over. */
static bool rig_get(struct lib_test *t, struct rig *r, unsigned int cmd)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE };

	memset(r, 0, sizeof(*r));
	if (!has(t, HSL_CAP_COUNTERS | HSL_CAP_MODELLED | (cmd ? HSL_CAP_CTF : 0), "the chip has no such thing"))
		return false;
	r->link = link_to(t, t->node[0], t->node[1]);
	r->peer_link = link_to(t, t->node[1], t->node[0]);
	if (r->link == NONE || r->peer_link == NONE) {
		t->skipped = "no link between two chips";
		return false;
	}
	if (cmd && !CHECK_EQ(t, hsl_ctf_open(t->f, t->node[0], &r->c), 0))
		return false;
	if (cmd && !(hsl_ctf_commands(r->c) >> cmd & 1)) {
		t->skipped = "the facility has no such command";
		rig_put(t, r);
		return false;
	}
	if (CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[1], LEN, &o, &r->s), 0) &&
	    CHECK_EQ(t, hsl_queue_create(t->f, t->node[0], NULL, &r->q), 0) && lib_mem_get(t, &r->host, 0, 2 * LEN)) {
		r->ga = hsl_segment_ga(r->s);
		return true;
	}
	rig_put(t, r);
	return false;
}

/* Bytes go to the other chip and come back. */
static void traffic(struct lib_test *t, struct rig *r)
{
	lib_pattern(r->host.p, LEN, lib_random(t));
	memset(r->host.p + LEN, 0, LEN);
	CHECK_EQ(t, hsl_copy(r->q, r->ga, r->host.ga, LEN), 0);
	CHECK_EQ(t, hsl_copy(r->q, r->host.ga + LEN, r->ga, LEN), 0);
	CHECK(t, !memcmp(r->host.p, r->host.p + LEN, LEN));
}

static int command(struct rig *r, unsigned int cmd, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t result[2])
{
	const uint64_t arg[3] = { a0, a1, a2 };

	return hsl_ctf_command(r->c, r->link, cmd, arg, result);
}

static uint64_t counter(struct lib_test *t, uint32_t node, unsigned int link, const char *name)
{
	uint64_t v[COUNTERS_MAX] = { 0 };
	int n = hsl_counters(t->f, node, link, v, COUNTERS_MAX);

	for (int i = 0; i < n; i++)
		if (!strcmp(hsl_counter_name(link, (unsigned int)i), name))
			return v[i];
	CHECK(t, !"there is a counter of this name");
	return 0;
}

/* ---- counters ---- */

static void counter_names(struct lib_test *t)
{
	static const unsigned int kinds[] = { 0, HSL_COUNTERS_CHIP };
	const char *name;

	for (unsigned int k = 0; k < 2; k++) {
		unsigned int n = 0;

		while ((name = hsl_counter_name(kinds[k], n))) {
			for (unsigned int i = 0; i < n; i++)
				CHECK(t, strcmp(name, hsl_counter_name(kinds[k], i)));
			n++;
		}
		CHECK(t, n > 20 && n <= COUNTERS_MAX);
		CHECK(t, !hsl_counter_name(kinds[k], UINT32_MAX));
	}
	CHECK(t, hsl_counter_name(63, 0) && !strcmp(hsl_counter_name(63, 0), "tx_flits"));
}

static void counter_errors(struct lib_test *t)
{
	uint64_t v[COUNTERS_MAX + 2];
	int n;

	if (!has(t, HSL_CAP_COUNTERS, "the chip has no counters")) {
		CHECK_EQ(t, hsl_counters(t->f, t->node[0], 0, NULL, 0), -EOPNOTSUPP);
		return;
	}
	memset(v, 0xa5, sizeof(v));
	n = hsl_counters(t->f, t->node[0], HSL_COUNTERS_CHIP, v, 2);
	CHECK(t, n > 2 && !hsl_counter_name(HSL_COUNTERS_CHIP, (unsigned int)n) &&
		 hsl_counter_name(HSL_COUNTERS_CHIP, (unsigned int)n - 1));
	CHECK(t, v[1] != v[2] && v[2] == 0xa5a5a5a5a5a5a5a5);
	CHECK_EQ(t, hsl_counters(t->f, t->node[0], HSL_COUNTERS_CHIP, NULL, 0), n);
	CHECK_EQ(t, hsl_counters(t->f, t->node[0], HSL_COUNTERS_CHIP, NULL, 1), -EINVAL);
	CHECK_EQ(t, hsl_counters(NULL, t->node[0], HSL_COUNTERS_CHIP, v, 1), -EINVAL);
	CHECK_EQ(t, hsl_counters(t->f, 9999, HSL_COUNTERS_CHIP, v, 1), -ENOENT);
	CHECK_EQ(t, hsl_counters(t->f, t->node[0], HSL_LINK_MAX, v, 1), -ENOENT);
}

static void sensors(struct lib_test *t)
{
	struct hsl_sensors s = { .size = sizeof(s) };
	struct { struct hsl_sensors s; uint32_t later; } longer = { .s.size = sizeof(longer), .later = 7 };
	int rc;

	CHECK_EQ(t, hsl_chip_sensors(t->f, t->node[0], NULL), -EINVAL);
	CHECK_EQ(t, hsl_chip_sensors(NULL, t->node[0], &s), -EINVAL);
	CHECK_EQ(t, hsl_chip_sensors(t->f, 9999, &s), -ENOENT);
	rc = hsl_chip_sensors(t->f, t->node[0], &s);
	if (rc == -EOPNOTSUPP) {	/* the chip, or the kernel */
		CHECK_EQ(t, s.temp_mc, 0);
		return;
	}
	CHECK_EQ(t, rc, 0);
	CHECK(t, s.size == sizeof(s) && s.temp_mc && s.power_mw && s.temp_max_mc < s.temp_crit_mc);
	CHECK_EQ(t, s.thermal & ~(HSL_THERMAL_THROTTLED | HSL_THERMAL_CRITICAL), 0);
	CHECK_EQ(t, hsl_chip_sensors(t->f, t->node[0], &longer.s), 0);
	CHECK(t, longer.s.temp_max_mc == s.temp_max_mc && !longer.later);
	s.size = 4;
	CHECK_EQ(t, hsl_chip_sensors(t->f, t->node[0], &s), -EINVAL);
}

/* HEP-RAS-006, -007: nothing is under way here but this case's own commands, whose end has been waited for. */
static void counters_count(struct lib_test *t)
{
	static const char *const vcs[] = { "req", "rsp", "snp", "dat" };
	uint64_t sent, before, hits;
	char tx[32], rx[32];
	struct rig r;

	if (!rig_get(t, &r, 0))
		return;
	before = counter(t, t->node[0], r.link, "tx_packets_req");
	hits = counter(t, t->node[1], HSL_COUNTERS_CHIP, "home_requests");
	traffic(t, &r);
	CHECK(t, counter(t, t->node[0], r.link, "tx_packets_req") > before);
	CHECK(t, counter(t, t->node[1], HSL_COUNTERS_CHIP, "home_requests") > hits);
	for (unsigned int i = 0; i < 4; i++) {
		snprintf(tx, sizeof(tx), "tx_packets_%s", vcs[i]);
		snprintf(rx, sizeof(rx), "rx_packets_%s", vcs[i]);
		sent = counter(t, t->node[0], r.link, tx);
		CHECK(t, sent >= counter(t, t->node[1], r.peer_link, rx));
		CHECK_EQ(t, counter(t, t->node[0], r.link, tx), sent);
	}
	rig_put(t, &r);
}

/* ---- the facility ---- */

static void ctf_open_close(struct lib_test *t)
{
	struct hsl_ctf *a = NULL, *b = NULL;
	struct hsl_fabric *f = NULL;

	CHECK_EQ(t, hsl_ctf_open(t->f, 9999, &a), -ENOENT);
	CHECK_EQ(t, hsl_ctf_open(NULL, t->node[0], &a), -EINVAL);
	CHECK_EQ(t, hsl_ctf_open(t->f, t->node[0], NULL), -EINVAL);
	CHECK_EQ(t, hsl_ctf_command(NULL, 0, HSL_CTF_CMD_COUNT, NULL, NULL), -EINVAL);
	CHECK_EQ(t, hsl_ctf_commands(NULL), 0);
	hsl_ctf_close(NULL);
	if (!has(t, HSL_CAP_CTF, "the chip has no test facility")) {
		CHECK_EQ(t, hsl_ctf_open(t->f, t->node[0], &a), -EOPNOTSUPP);
		return;
	}
	REQUIRE_EQ(t, hsl_ctf_open(t->f, t->node[0], &a), 0);
	CHECK_EQ(t, hsl_ctf_open(t->f, t->node[0], &b), -EBUSY);
	REQUIRE_EQ(t, hsl_fabric_open(t->url, &f), 0);
	CHECK_EQ(t, hsl_ctf_open(f, t->node[0], &b), -EBUSY);
	hsl_ctf_close(a);
	/* the fabric closes what is open of it */
	CHECK_EQ(t, hsl_ctf_open(f, t->node[0], &b), 0);
	if (t->node[1] != t->node[0])
		CHECK_EQ(t, hsl_ctf_open(f, t->node[1], &a), 0);
	hsl_fabric_close(f);
	REQUIRE_EQ(t, hsl_ctf_open(t->f, t->node[0], &a), 0);
	CHECK(t, hsl_ctf_commands(a) && !(hsl_ctf_commands(a) & 1));
	hsl_ctf_close(a);
}

static void ctf_errors(struct lib_test *t)
{
	uint64_t result[2] = { 5, 6 };
	struct rig r;

	if (!rig_get(t, &r, HSL_CTF_CMD_WIRE))
		return;
	CHECK_EQ(t, command(&r, 0, 0, 0, 0, result), -EOPNOTSUPP);
	CHECK_EQ(t, command(&r, 77, 0, 0, 0, result), -EOPNOTSUPP);
	CHECK_EQ(t, command(&r, HSL_CTF_CMD_WIRE, 99, 0, 0, result), -EINVAL);
	CHECK_EQ(t, hsl_ctf_command(r.c, HSL_LINK_MAX - 1, HSL_CTF_CMD_COUNT, NULL, result), -EHOSTUNREACH);
	/* nothing is changed by an error */
	CHECK(t, result[0] == 5 && result[1] == 6);
	CHECK_EQ(t, command(&r, HSL_CTF_CMD_COUNT, 0, 0, 0, NULL), 0);
	CHECK_EQ(t, hsl_ctf_flit(r.c, NULL), -EINVAL);
	CHECK_EQ(t, hsl_ctf_record(r.c, NULL), -EINVAL);
	rig_put(t, &r);
}

/* One flit with a wrong CRC is refused once, sent again, and nobody else notices (HEP-CTF-004). */
static void ctf_crc(struct lib_test *t)
{
	uint64_t before[2], after[2], bad;
	struct rig r;

	if (!rig_get(t, &r, HSL_CTF_CMD_ARM))
		return;
	CHECK_EQ(t, command(&r, HSL_CTF_CMD_COUNT, 0, 0, 0, before), 0);
	bad = counter(t, t->node[1], r.peer_link, "rx_bad");
	CHECK_EQ(t, command(&r, HSL_CTF_CMD_ARM, HSL_CTF_ARM_CRC, 1ull << 32, 99, NULL), 0);
	traffic(t, &r);
	CHECK_EQ(t, command(&r, HSL_CTF_CMD_COUNT, 0, 0, 0, after), 0);
	CHECK_EQ(t, after[0], before[0] + 1);
	CHECK_EQ(t, after[1], 0);
	CHECK_EQ(t, counter(t, t->node[1], r.peer_link, "rx_bad"), bad + 1);
	rig_put(t, &r);
}

/* What is armed goes with who armed it. */
static void ctf_close_disarms(struct lib_test *t)
{
	uint64_t before[2], after[2];
	struct rig r;

	if (!rig_get(t, &r, HSL_CTF_CMD_ARM))
		return;
	CHECK_EQ(t, command(&r, HSL_CTF_CMD_COUNT, 0, 0, 0, before), 0);
	CHECK_EQ(t, command(&r, HSL_CTF_CMD_ARM, HSL_CTF_ARM_CRC, 100ull << 32, 99, NULL), 0);
	hsl_ctf_close(r.c);
	traffic(t, &r);
	if (CHECK_EQ(t, hsl_ctf_open(t->f, t->node[0], &r.c), 0)) {
		CHECK_EQ(t, command(&r, HSL_CTF_CMD_COUNT, 0, 0, 0, after), 0);
		CHECK_EQ(t, after[0], before[0]);
		CHECK_EQ(t, after[1], 0);
	}
	rig_put(t, &r);
}

/* A flit of ours, with a CRC that is none (HEP-CTF-009). */
static void ctf_flit(struct lib_test *t)
{
	uint8_t flit[HSL_FLIT_BYTES];
	uint64_t bad;
	struct rig r;

	if (!rig_get(t, &r, HSL_CTF_CMD_SEND))
		return;
	lib_pattern(flit, sizeof(flit), 7);
	bad = counter(t, t->node[1], r.peer_link, "rx_bad");
	CHECK_EQ(t, hsl_ctf_flit(r.c, flit), 0);
	CHECK_EQ(t, command(&r, HSL_CTF_CMD_SEND, 0, 0, 0, NULL), 0);
	traffic(t, &r);
	CHECK_EQ(t, counter(t, t->node[1], r.peer_link, "rx_bad"), bad + 1);
	rig_put(t, &r);
}

static int poison(struct hsl_ctf *c, uint64_t ga, uint64_t on)
{
	const uint64_t arg[3] = { ga, on };

	return hsl_ctf_command(c, 0, HSL_CTF_CMD_POISON, arg, NULL);
}

/* HEP-CTF-010, on the second chip. A cache keeps a line as it came, so each line is loaded once. */
static void ctf_poison(struct lib_test *t)
{
	struct hsl_ctf *c = NULL;
	uint64_t v = 1;
	struct rig r;

	if (!rig_get(t, &r, HSL_CTF_CMD_POISON))
		return;
	if (CHECK_EQ(t, hsl_ctf_open(t->f, t->node[1], &c), 0)) {
		CHECK_EQ(t, poison(c, r.ga + 128, 1), 0);
		CHECK_EQ(t, poison(c, r.ga + 256, 1), 0);
		CHECK_EQ(t, poison(c, r.ga + 256, 0), 0);
		CHECK_EQ(t, hsl_load(r.q, r.ga + 128, 8, &v), -EBADMSG);
		CHECK_EQ(t, hsl_load(r.q, r.ga + 64, 8, &v), 0);
		CHECK_EQ(t, hsl_load(r.q, r.ga + 256, 8, &v), 0);
		CHECK_EQ(t, v, 0);
		CHECK_EQ(t, poison(c, r.ga + 128, 0), 0);
	}
	hsl_ctf_close(c);
	rig_put(t, &r);
}

struct record {
	uint8_t version, kind, flags, link;
	uint8_t src[2], dst[2];
	uint64_t time_ps;
	uint8_t body[HSL_CTF_RECORD_BYTES - 16];
};

/* Both directions, in order of time (HEP-CTF-007). */
static void ctf_records(struct lib_test *t)
{
	uint64_t result[2] = { 0 }, last = 0;
	unsigned int sent = 0, received = 0;
	struct record rec;
	struct rig r;

	if (!rig_get(t, &r, HSL_CTF_CMD_NEXT))
		return;
	CHECK_EQ(t, command(&r, HSL_CTF_CMD_NEXT, 0, 0, 0, result), 0);
	CHECK_EQ(t, result[0], 0);
	CHECK_EQ(t, command(&r, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_TX | HSL_CTF_CAPTURE_RX, 0, 0, result), 0);
	CHECK(t, result[0] > 1);
	traffic(t, &r);
	while (CHECK_EQ(t, command(&r, HSL_CTF_CMD_NEXT, 0, 0, 0, result), 0) && result[0]) {
		REQUIRE_EQ(t, hsl_ctf_record(r.c, &rec), 0);
		CHECK(t, rec.version == 1 && rec.kind >= 1 && rec.kind <= 3 && rec.link == r.link);
		CHECK(t, rec.time_ps >= last);
		last = rec.time_ps;
		sent += rec.kind == 1 && !(rec.flags & 1);
		received += rec.kind == 1 && (rec.flags & 1);
	}
	CHECK(t, sent && received);
	rig_put(t, &r);
}

const struct lib_case lib_cases_ctf[] = {
	{ "counter_names", counter_names },
	{ "counter_errors", counter_errors },
	{ "sensors", sensors },
	{ "counters_count", counters_count },
	{ "ctf_open_close", ctf_open_close },
	{ "ctf_errors", ctf_errors },
	{ "ctf_crc", ctf_crc },
	{ "ctf_close_disarms", ctf_close_disarms },
	{ "ctf_flit", ctf_flit },
	{ "ctf_poison", ctf_poison },
	{ "ctf_records", ctf_records },
	{ NULL, NULL }
};
