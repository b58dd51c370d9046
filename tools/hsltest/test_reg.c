/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * REG: discovery and registers, read through the BARs of a chip that its driver is using. Nothing
 * here writes a register that a conforming chip would act on, but SCRATCH (put back), EVENT bits
 * that the test raised itself, and the FLR of HEP-REG-008.
 */
#include <inttypes.h>
#include <sched.h>

#include <linux/hsl.h>

#include "hsltest.h"

static const struct ro_reg {
	uint16_t off;
	uint8_t bytes;
	const char *name;
} ro_regs[] = {
	{ HSL_REG_MAGIC, 4, "MAGIC" },
	{ HSL_REG_VERSION, 4, "VERSION" },
	{ HSL_REG_CAP, 8, "CAP" },
	{ HSL_REG_NODE, 4, "NODE" },
	{ HSL_REG_HOST_NODE, 4, "HOST_NODE" },
	{ HSL_REG_FABRIC_LO, 8, "FABRIC_LO" },
	{ HSL_REG_FABRIC_HI, 8, "FABRIC_HI" },
	{ HSL_REG_MEM_SIZE, 8, "MEM_SIZE" },
	{ HSL_REG_GA_BITS, 4, "GA_BITS" },
	{ HSL_REG_NQUEUES, 4, "NQUEUES" },
	{ HSL_REG_DB_OFFSET, 4, "DB_OFFSET" },
	{ HSL_REG_DB_STRIDE, 4, "DB_STRIDE" },
	{ HSL_REG_MAX_DEPTH, 4, "MAX_DEPTH" },
	{ HSL_REG_NCONTEXTS, 4, "NCONTEXTS" },
	{ HSL_REG_MAX_LEN, 8, "MAX_LEN" },
	{ HSL_REG_NWINDOWS, 4, "NWINDOWS" },
	{ HSL_REG_WIN_STRIDE_LOG2, 4, "WIN_STRIDE_LOG2" },
	{ HSL_REG_NLINKS, 4, "NLINKS" },
	{ HSL_REG_NVECTORS, 4, "NVECTORS" },
	{ HSL_REG_STATUS, 4, "STATUS" },
};
#define N_RO_REGS (sizeof(ro_regs) / sizeof(ro_regs[0]))

static uint64_t reg_read(const struct ht_bar *b, const struct ro_reg *r)
{
	return r->bytes == 8 ? ht_read64(b, r->off) : ht_read32(b, r->off);
}

static void snapshot(const struct ht_bar *b, uint64_t *v)
{
	size_t i;

	for (i = 0; i < N_RO_REGS; i++)
		v[i] = reg_read(b, &ro_regs[i]);
}

static void snapshot_check(struct ht *t, uint32_t node, const uint64_t *before,
			   const uint64_t *after, const char *what)
{
	size_t i;

	for (i = 0; i < N_RO_REGS; i++) {
		if (before[i] != after[i])
			HT_FAIL_TEST(t,
				     "chip %u, %s after %s: expected %#" PRIx64 ", got %#" PRIx64,
				     node, ro_regs[i].name, what, before[i], after[i]);
	}
}

static uint32_t cfg32(const uint8_t *c, unsigned int off)
{
	return (uint32_t)c[off] | (uint32_t)c[off + 1] << 8 | (uint32_t)c[off + 2] << 16 |
	       (uint32_t)c[off + 3] << 24;
}

/* Configuration space and the offset of the DVSEC in it. */
static unsigned int dvsec(struct ht *t, const struct hsl_chip_props *chip, uint8_t *cfg)
{
	unsigned int n, off;

	memset(cfg, 0, 4096);
	n = ht_config_read(t, chip, cfg, 4096);
	if (n <= 256)
		HT_SKIP_TEST(t, "only %u bytes of configuration space can be read here", n);
	off = ht_dvsec_find(cfg, n);
	HT_TRUE(t, off, "chip %u (%s) has no HSL DVSEC in its %u bytes of configuration space",
		chip->node, chip->bus_addr, n);
	return off;
}

static void dvsec_class(struct ht *t)
{
	unsigned int i, k, off, bir[3];
	uint8_t cfg[4096];
	uint64_t bytes;
	uint32_t bars;

	for (i = 0; i < t->nchips; i++) {
		const struct hsl_chip_props *chip = &t->chip[i];

		off = dvsec(t, chip, cfg);
		HT_EQ(t, "class code", cfg32(cfg, 8) >> 16, HSL_PCI_CLASS);
		HT_EQ(t, "DVSEC length", cfg32(cfg, off + 4) >> 20, HSL_DVSEC_LEN);
		HT_EQ(t, "DVSEC revision", cfg32(cfg, off + 4) >> 16 & 0xf, HSL_DVSEC_REV);
		bars = cfg32(cfg, off + HSL_DVSEC_O_BARS);
		bir[0] = HSL_DVSEC_BARS_REGS(bars);
		bir[1] = HSL_DVSEC_BARS_MEM(bars);
		bir[2] = HSL_DVSEC_BARS_WIN(bars);
		for (k = 0; k < 3; k++) {
			if (k == 2 && bir[k] == HSL_DVSEC_BAR_NONE) {
				HT_TRUE(t, !(chip->cap & HSL_CAP_WINDOWS),
					"chip %u claims windows, its DVSEC names no BAR for them", chip->node);
				continue;
			}
			HT_TRUE(t, bir[k] < 6, "chip %u: BAR indicator %u is no BAR", chip->node,
				bir[k]);
			HT_EQ(t, "I/O space bit of the BAR", cfg32(cfg, 0x10 + 4 * bir[k]) & 1, 0);
			bytes = ht_bar_bytes(t, chip, bir[k]);
			HT_TRUE(t, bytes, "chip %u: BAR %u of the DVSEC is not implemented",
				chip->node, bir[k]);
		}
		HT_TRUE(t, bir[0] != bir[1] && bir[0] != bir[2] && bir[1] != bir[2],
			"chip %u: BAR indicators %u, %u, %u are not different", chip->node, bir[0],
			bir[1], bir[2]);
		HT_TRUE(t, cfg32(cfg, off + HSL_DVSEC_O_REGS) < ht_bar_bytes(t, chip, bir[0]),
			"chip %u: the register block lies outside its BAR", chip->node);
		HT_EQ(t, "DVSEC node id", cfg32(cfg, off + HSL_DVSEC_O_NODE), chip->node);
	}
}

static void magic_version(struct ht *t)
{
	unsigned int i, off;
	uint8_t cfg[4096];
	struct ht_bar b;
	uint32_t v;

	for (i = 0; i < t->nchips; i++) {
		ht_regs_map(t, &t->chip[i], &b);
		HT_EQ(t, "MAGIC", ht_read32(&b, HSL_REG_MAGIC), HSL_MAGIC);
		v = ht_read32(&b, HSL_REG_VERSION);
		HT_EQ(t, "VERSION major", v >> 16, HSL_HEP_MAJOR);
		if (t->sim) { /* no DVSEC: a chip of this library claims what the library knows */
			HT_EQ(t, "VERSION minor", v & 0xffff, HSL_HEP_MINOR);
		} else {
			off = dvsec(t, &t->chip[i], cfg);
			HT_EQ(t, "VERSION minor", v & 0xffff, cfg[off + HSL_DVSEC_O_HEP]);
			HT_EQ(t, "HEP major of the DVSEC", cfg[off + HSL_DVSEC_O_HEP + 1], v >> 16);
		}
		HT_EQ(t, "version the driver tells", t->chip[i].hep_version, v);
		ht_bar_unmap(&b);
	}
}

static bool defined_counter(uint32_t off, uint32_t nlinks)
{
	uint32_t o = off % 0x100;

	if (off >= HSL_REG_LINK_STAT(0) && off < HSL_REG_LINK_STAT(nlinks))
		return o < HSL_LINK_STAT_IDLE_FLITS + 8 ||
		       (o >= HSL_LINK_STAT_CREDIT_STALLS(0) && o < HSL_LINK_STAT_CREDIT_STALLS(HSL_VC_COUNT)) ||
		       (o >= HSL_LINK_STAT_TX_PACKETS(0) && o < HSL_LINK_STAT_TX_PACKETS(HSL_VC_COUNT)) ||
		       (o >= HSL_LINK_STAT_RX_PACKETS(0) && o < HSL_LINK_STAT_RX_PACKETS(HSL_VC_COUNT));
	if (off < HSL_REG_NODE_STAT || off >= HSL_REG_NODE_STAT + 0x200)
		return false;
	o = off - HSL_REG_NODE_STAT;
	if (o < HSL_NODE_STAT_HOME)
		return o % HSL_NODE_STAT_HOST_PORT < HSL_CACHE_STAT_RETRIES + 8;
	if (o < HSL_NODE_STAT_NET)
		return o < HSL_NODE_STAT_HOME + HSL_HOME_STAT_MEM_WRITES + 8;
	return o < HSL_NODE_STAT_NET + HSL_NET_STAT_POISONED + 8;
}

/* True for the bytes below the MSI-X table that HEP section 4 defines for this chip. */
static bool defined(const struct hsl_chip_props *chip, uint32_t off, uint32_t nwin, uint32_t nlinks)
{
	if (chip->cap & HSL_CAP_COUNTERS && defined_counter(off, nlinks))
		return true;
	if (off < 0x60)
		return true;
	if (off >= HSL_REG_CTRL && off < HSL_REG_SCRATCH + 8)
		return true;
	if (off >= HSL_REG_AQ_SQ && off < HSL_REG_AQ_DEPTH + 4)
		return true;
	if (off >= HSL_REG_CTX_TABLE && off < HSL_REG_CTX_COUNT + 4)
		return true;
	if (chip->cap & HSL_CAP_SENSORS && off >= HSL_REG_TEMP && off < HSL_REG_THERMAL + 4)
		return true;
	if (off >= HSL_REG_WIN(0) && off < HSL_REG_WIN(nwin))
		return off % 0x20 < HSL_WIN_O_STATUS + 4;
	if (off >= HSL_REG_LINK(0) && off < HSL_REG_LINK(nlinks))
		return off % 0x20 < HSL_LINK_O_MAX_RATE + 4;
	return false;
}

static void undefined(struct ht *t)
{
	uint64_t before[N_RO_REGS], after[N_RO_REGS];
	uint32_t off, nwin, nlinks, v, n = 0;
	unsigned int i;
	struct ht_bar b;

	for (i = 0; i < t->nchips; i++) {
		ht_regs_map(t, &t->chip[i], &b);
		nwin = ht_read32(&b, HSL_REG_NWINDOWS);
		nlinks = ht_read32(&b, HSL_REG_NLINKS);
		snapshot(&b, before);
		for (off = 0; off < HSL_MSIX_TABLE; off += 4) {
			if (defined(&t->chip[i], off, nwin, nlinks))
				continue;
			v = ht_read32(&b, off);
			HT_TRUE(t, !v, "chip %u: undefined register %#x reads %#x, expected 0",
				t->chip[i].node, off, v);
			/* where windows and links might be, a value that would not enable one */
			ht_write32(&b, off, ~3u);
			v = ht_read32(&b, off);
			HT_TRUE(t, !v, "chip %u: undefined register %#x keeps %#x of a write",
				t->chip[i].node, off, v);
			n++;
		}
		snapshot(&b, after);
		snapshot_check(t, t->chip[i].node, before, after, "writes to undefined registers");
		ht_bar_unmap(&b);
	}
	ht_note(t, "%u registers", n);
}

static void read_no_effect(struct ht *t)
{
	static const uint32_t rw[] = { HSL_REG_CTRL, HSL_REG_EVENT_MASK, HSL_REG_SCRATCH,
				       HSL_REG_AQ_DEPTH, HSL_REG_CTX_COUNT };
	uint64_t before[N_RO_REGS], after[N_RO_REGS];
	uint32_t off, saved[sizeof(rw) / sizeof(rw[0])];
	uint64_t scratch;
	struct ht_bar b;
	unsigned int i;

	ht_regs_map(t, &t->chip[0], &b);
	scratch = ht_read64(&b, HSL_REG_SCRATCH);
	ht_write64(&b, HSL_REG_SCRATCH, 0x5eed5eed5eed5eedull); /* a value to lose */
	snapshot(&b, before);
	for (i = 0; i < sizeof(rw) / sizeof(rw[0]); i++)
		saved[i] = ht_read32(&b, rw[i]);
	for (off = 0; off < 0x8000; off += 4)
		(void)ht_read32(&b, off);
	snapshot(&b, after);
	snapshot_check(t, t->chip[0].node, before, after, "reading every register");
	for (i = 0; i < sizeof(rw) / sizeof(rw[0]); i++)
		HT_EQ(t, "read-write register after reading all", ht_read32(&b, rw[i]), saved[i]);
	HT_EQ(t, "SCRATCH after reading all", ht_read32(&b, HSL_REG_SCRATCH + 4), 0x5eed5eed);
	ht_write64(&b, HSL_REG_SCRATCH, scratch);
	ht_bar_unmap(&b);
}

static void read_only(struct ht *t)
{
	uint64_t before[N_RO_REGS], after[N_RO_REGS];
	uint32_t nlinks, k, off, v;
	unsigned int i;
	struct ht_bar b;
	size_t r;

	for (i = 0; i < t->nchips; i++) {
		ht_regs_map(t, &t->chip[i], &b);
		snapshot(&b, before);
		for (r = 0; r < N_RO_REGS; r++) {
			if (ro_regs[r].bytes == 8)
				ht_write64(&b, ro_regs[r].off, ~before[r]);
			else
				ht_write32(&b, ro_regs[r].off, (uint32_t)~before[r]);
			snapshot(&b, after);
			snapshot_check(t, t->chip[i].node, before, after, ro_regs[r].name);
		}
		nlinks = ht_read32(&b, HSL_REG_NLINKS);
		for (k = 0; k < nlinks && k < HSL_LINK_MAX; k++) {
			for (off = 0; off <= HSL_LINK_O_MAX_RATE; off += 4) {
				v = ht_read32(&b, HSL_REG_LINK(k) + off);
				ht_write32(&b, HSL_REG_LINK(k) + off, ~v);
				HT_EQ(t, "link block after a write",
				      ht_read32(&b, HSL_REG_LINK(k) + off), v);
			}
		}
		ht_bar_unmap(&b);
	}
}

/* Puts a queue of our own into ERROR, which is the one event a test can raise without hurting
 * anybody. */
static void raise_queue_error(struct ht *t, struct ht_rawq *q)
{
	ht_rawq_doorbell(t, q, HSL_DB_SQ_TAIL, q->tail + q->depth + 1, 4);
}

static void event_rw1c(struct ht *t)
{
	struct ht_limit limit;
	uint32_t mask, e;
	struct ht_rawq q;
	struct ht_bar b;
	int fd, attempt;

	ht_regs_map(t, &t->chip[0], &b);
	fd = ht_raw_open(t);
	for (attempt = 0; attempt < 5; attempt++) {
		ht_rawq_new(t, &q, fd, t->chip[0].node, 2);
		/* no interrupt for it, so that the driver does not clear it first */
		mask = ht_read32(&b, HSL_REG_EVENT_MASK);
		ht_write32(&b, HSL_REG_EVENT_MASK, mask & ~HSL_EVENT_QUEUE_ERROR);
		raise_queue_error(t, &q);
		limit = ht_limit(1);
		do {
			e = ht_read32(&b, HSL_REG_EVENT);
			sched_yield();
		} while (!(e & HSL_EVENT_QUEUE_ERROR) && !ht_limit_over(&limit));
		if (e == HSL_EVENT_QUEUE_ERROR) {
			ht_write32(&b, HSL_REG_EVENT, 0);
			e = ht_read32(&b, HSL_REG_EVENT);
			if (e & HSL_EVENT_QUEUE_ERROR) {
				ht_write32(&b, HSL_REG_EVENT, ~HSL_EVENT_QUEUE_ERROR);
				e = ht_read32(&b, HSL_REG_EVENT);
			}
			ht_write32(&b, HSL_REG_EVENT, HSL_EVENT_QUEUE_ERROR);
			mask |= ht_read32(&b, HSL_REG_EVENT_MASK);
			ht_write32(&b, HSL_REG_EVENT_MASK, mask);
			HT_TRUE(t, e & HSL_EVENT_QUEUE_ERROR,
				"EVENT.QUEUE_ERROR was cleared by writes that did not name it");
			HT_EQ(t, "EVENT.QUEUE_ERROR after writing it as one",
			      ht_read32(&b, HSL_REG_EVENT) & HSL_EVENT_QUEUE_ERROR, 0);
			ht_rawq_free(&q);
			ht_bar_unmap(&b);
			return;
		}
		ht_write32(&b, HSL_REG_EVENT_MASK, mask);
		ht_rawq_free(&q);
	}
	HT_INCONCLUSIVE_TEST(t, "the driver clears EVENT before the test can look (5 attempts)");
}

static void locked_while_enabled(struct ht *t)
{
	static const struct ro_reg regs[] = {
		{ HSL_REG_AQ_SQ, 8, "AQ_SQ" },	       { HSL_REG_AQ_CQ, 8, "AQ_CQ" },
		{ HSL_REG_AQ_DEPTH, 4, "AQ_DEPTH" },   { HSL_REG_CTX_TABLE, 8, "CTX_TABLE" },
		{ HSL_REG_CTX_COUNT, 4, "CTX_COUNT" },
	};
	uint64_t v, now;
	struct ht_bar b;
	unsigned int i;

	ht_regs_map(t, &t->chip[0], &b);
	if (!(ht_read32(&b, HSL_REG_STATUS) & HSL_STATUS_READY))
		HT_SKIP_TEST(t, "chip %u is not enabled", t->chip[0].node);
	for (i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		v = reg_read(&b, &regs[i]);
		if (regs[i].bytes == 8)
			ht_write64(&b, regs[i].off, v ^ 0x1000);
		else
			ht_write32(&b, regs[i].off, (uint32_t)v ^ 2);
		now = reg_read(&b, &regs[i]);
		if (now != v) { /* it took it: put it back at once */
			if (regs[i].bytes == 8)
				ht_write64(&b, regs[i].off, v);
			else
				ht_write32(&b, regs[i].off, (uint32_t)v);
		}
		HT_EQ(t, regs[i].name, now, v);
	}
	ht_bar_unmap(&b);
}

/* Doorbell pages that are not RESET, but that of the admin queue; *first is one of them. */
static unsigned int pages_in_use(const struct ht_bar *b, uint64_t *first)
{
	uint32_t nq = ht_read32(b, HSL_REG_NQUEUES), off = ht_read32(b, HSL_REG_DB_OFFSET), stride = ht_read32(b, HSL_REG_DB_STRIDE);
	unsigned int n = 0;
	uint32_t i;

	for (i = 1; i < nq; i++) {
		uint64_t db = off + (uint64_t)i * stride;

		if (ht_read32(b, db + HSL_DB_STATE) == HSL_QUEUE_RESET)
			continue;
		if (!n++)
			*first = db;
	}
	return n;
}

/* Nobody has a queue of the chip. */
static bool all_free(struct ht *t, uint32_t node)
{
	struct hsl_chip_props p = { .size = sizeof(p) };

	HT_OK(t, hsl_chip_by_node(t->f, node, &p));
	return p.nqueues_free == p.nqueues;
}

/* After an FLR that ended our queue. With the driver somebody else may have made one since. */
static void pages_reset(struct ht *t, const struct hsl_chip_props *chip, const struct ht_bar *b)
{
	bool alone = t->sim || all_free(t, chip->node);
	uint64_t db = 0;
	unsigned int n = pages_in_use(b, &db);

	if (!alone || (!t->sim && !all_free(t, chip->node)))
		ht_note(t, "others have queues of chip %u: doorbell pages were not judged", chip->node);
	else
		HT_TRUE(t, !n, "chip %u: %u doorbell pages are not RESET after FLR; that at %#" PRIx64 ": state %u", chip->node, n, db,
			ht_read32(b, db + HSL_DB_STATE));
}

static void flr_defaults(struct ht *t)
{
	const struct hsl_chip_props *chip = &t->chip[0];
	struct hsl_queue *q;
	struct ht_bar b;
	struct ht_buf m;
	uint32_t i, nwin;
	uint64_t db;

	ht_buf_new(t, &m, chip->node, 1 << 20);
	q = ht_queue_new(t, chip->node, 0);
	HT_OK(t, hsl_nop(q));
	ht_regs_map(t, chip, &b);
	HT_TRUE(t, pages_in_use(&b, &db), "chip %u: every doorbell page is RESET while we have a queue", chip->node);
	ht_write64(&b, HSL_REG_SCRATCH, 0x5eed5eed5eed5eedull);
	HT_OK(t, ht_chip_flr(t, chip));
	HT_EQ(t, "SCRATCH after FLR", ht_read64(&b, HSL_REG_SCRATCH), 0);
	/* queues that only we had */
	HT_RC(t, hsl_queue_state(q, NULL), HSL_QUEUE_ERROR);
	pages_reset(t, chip, &b);
	nwin = ht_read32(&b, HSL_REG_NWINDOWS);
	for (i = 0; i < nwin && i < HSL_WIN_MAX; i++) {
		/* the driver's own: programmed again at the end of the reset */
		if (ht_read32(&b, HSL_REG_WIN(i) + HSL_WIN_O_CTRL) ==
		    (HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED))
			continue;
		HT_EQ(t, "window CTRL after FLR", ht_read32(&b, HSL_REG_WIN(i) + HSL_WIN_O_CTRL),
		      0);
		HT_EQ(t, "window STATUS after FLR",
		      ht_read32(&b, HSL_REG_WIN(i) + HSL_WIN_O_STATUS), 0);
	}
	ht_buf_check(t, &m, "chip memory after FLR");
	HT_RC(t, hsl_queue_state(q, NULL), HSL_QUEUE_ERROR);
	ht_queue_free(t, q);
	q = ht_queue_new(t, chip->node, 0);
	HT_OK(t, hsl_nop(q));
	ht_queue_free(t, q);
	ht_bar_unmap(&b);
	ht_buf_free(t, &m);
}

static void doorbell_stride(struct ht *t)
{
	uint32_t stride, off, nq;
	unsigned int i;
	struct ht_bar b;

	for (i = 0; i < t->nchips; i++) {
		ht_regs_map(t, &t->chip[i], &b);
		stride = ht_read32(&b, HSL_REG_DB_STRIDE);
		off = ht_read32(&b, HSL_REG_DB_OFFSET);
		nq = ht_read32(&b, HSL_REG_NQUEUES);
		HT_TRUE(t, stride >= 0x10000 && !(stride & (stride - 1)), "chip %u: DB_STRIDE %#x",
			t->chip[i].node, stride);
		HT_TRUE(t, off && off % 0x10000 == 0,
			"chip %u: DB_OFFSET %#x is not aligned to 64 KiB", t->chip[i].node, off);
		HT_TRUE(t, nq >= 2 && off <= b.len && nq <= (b.len - off) / stride,
			"chip %u: %u doorbell pages of %#x from %#x do not fit %#" PRIx64
			" bytes behind the registers",
			t->chip[i].node, nq, stride, off, b.len);
		ht_bar_unmap(&b);
	}
}

static void node_ids(struct ht *t)
{
	unsigned int i;

	HT_TRUE(t, t->info.fabric_id[0] || t->info.fabric_id[1], "fabric id is zero");
	for (i = 0; i < t->nchips; i++) {
		HT_TRUE(t, t->chip[i].node >= 1 && t->chip[i].node < HSL_NODE_HOST_DEFAULT,
			"chip index %u has node id %u", i, t->chip[i].node);
		HT_TRUE(t, !i || t->chip[i].node > t->chip[i - 1].node,
			"node ids %u, %u are not different and in order", t->chip[i - 1].node,
			t->chip[i].node);
	}
}

static void fabric_id(struct ht *t)
{
	unsigned int i;
	struct ht_bar b;

	for (i = 0; i < t->nchips; i++) {
		ht_regs_map(t, &t->chip[i], &b);
		HT_EQ(t, "FABRIC_LO", ht_read64(&b, HSL_REG_FABRIC_LO), t->info.fabric_id[0]);
		HT_EQ(t, "FABRIC_HI", ht_read64(&b, HSL_REG_FABRIC_HI), t->info.fabric_id[1]);
		HT_EQ(t, "NODE", ht_read32(&b, HSL_REG_NODE), t->chip[i].node);
		ht_bar_unmap(&b);
	}
}

static void halves(struct ht *t)
{
	const uint64_t a = 0x0123456789abcdefull, z = 0xfedcba9876543210ull;
	uint64_t old, lo_only, v;
	struct ht_bar b;

	ht_regs_map(t, &t->chip[0], &b);
	old = ht_read64(&b, HSL_REG_SCRATCH);
	ht_write64(&b, HSL_REG_SCRATCH, a);
	HT_EQ(t, "SCRATCH after a 64-bit write", ht_read64(&b, HSL_REG_SCRATCH), a);
	HT_EQ(t, "low half of SCRATCH", ht_read32(&b, HSL_REG_SCRATCH), (uint32_t)a);
	HT_EQ(t, "high half of SCRATCH", ht_read32(&b, HSL_REG_SCRATCH + 4), a >> 32);
	ht_write32(&b, HSL_REG_SCRATCH, (uint32_t)z);
	lo_only = ht_read64(&b, HSL_REG_SCRATCH);
	ht_write32(&b, HSL_REG_SCRATCH + 4, (uint32_t)(z >> 32));
	v = ht_read64(&b, HSL_REG_SCRATCH);
	ht_write64(&b, HSL_REG_SCRATCH, old);
	HT_EQ(t, "SCRATCH after writing its low half only", lo_only, a);
	HT_EQ(t, "SCRATCH after both halves", v, z);
	ht_bar_unmap(&b);
}

static void mem_size(struct ht *t)
{
	unsigned int i;

	for (i = 0; i < t->nchips; i++) {
		HT_TRUE(t, t->chip[i].mem_bytes >= 128ull << 20,
			"chip %u has %" PRIu64 " bytes of memory", t->chip[i].node,
			t->chip[i].mem_bytes);
		HT_TRUE(t, t->chip[i].mem_free_bytes <= t->chip[i].mem_bytes,
			"chip %u: more memory free than there is", t->chip[i].node);
	}
}

static void mem_size_bar(struct ht *t)
{
	uint64_t mem, bar;
	unsigned int i;
	struct ht_bar b;

	for (i = 0; i < t->nchips; i++) {
		ht_regs_map(t, &t->chip[i], &b);
		mem = ht_read64(&b, HSL_REG_MEM_SIZE);
		bar = ht_bar_bytes(t, &t->chip[i], ht_bar_of(t, &t->chip[i], HT_BAR_MEM));
		/* a BAR is a power of two, so memory of another size leaves less than half of it
		 * unused */
		HT_TRUE(t, mem <= bar && mem > bar / 2,
			"chip %u: MEM_SIZE %#" PRIx64 ", BAR %#" PRIx64, t->chip[i].node, mem, bar);
		HT_EQ(t, "memory size that the driver tells", t->chip[i].mem_bytes, mem);
		ht_bar_unmap(&b);
	}
}

static void limits(struct ht *t)
{
	unsigned int i;

	for (i = 0; i < t->nchips; i++) {
		HT_TRUE(t, t->chip[i].max_len_bytes >= 64ull << 20, "chip %u: MAX_LEN %" PRIu64,
			t->chip[i].node, t->chip[i].max_len_bytes);
		HT_TRUE(t, t->chip[i].max_depth >= 64, "chip %u: MAX_DEPTH %u", t->chip[i].node,
			t->chip[i].max_depth);
	}
}

/* Out of the CPU's caches: what comes next is from the chip. */
static void flush_line(const struct ht_bar *b, uint64_t off)
{
	__sync_synchronize();
#ifdef __x86_64__
	__builtin_ia32_clflush((const void *)(uintptr_t)(b->p + off));
#else
	(void)b;
	(void)off;
#endif
	__sync_synchronize();
}

static void put(const struct ht_bar *b, uint64_t off, uint64_t v)
{
	ht_write64(b, off, v);
	flush_line(b, off);
}

/* The end of memory, which nobody has; the driver takes it for zero, so that it gets its bytes back before anything is judged. */
static void d3hot(struct ht *t)
{
	const struct hsl_chip_props *chip = &t->chip[0];
	const uint64_t mark = 0x5eed5eed5eed5eedull, page = 4096, at = page - 8;
	uint64_t old, then;
	struct ht_bar b, m;
	uint32_t magic;
	bool asleep;

	ht_regs_map(t, chip, &b);
	ht_sleep(t, chip);	/* it can, so that nobody has that memory */
	ht_wake(t, chip);
	ht_bus_map(t, ht_bar_address(t, chip, ht_bar_of(t, chip, HT_BAR_MEM)) + chip->mem_bytes - page, page, &m);
	old = ht_read64(&m, at);
	put(&m, at, mark);
	asleep = ht_falls_asleep(t, chip);
	magic = ht_read32(&b, HSL_REG_MAGIC);
	ht_wake(t, chip);
	then = ht_read64(&m, at);
	put(&m, at, old);
	if (!asleep)
		HT_SKIP_TEST(t, "chip %u slept once and no more: somebody uses it", chip->node);
	HT_EQ(t, "MAGIC in D3hot", magic, UINT32_MAX);
	HT_EQ(t, "chip memory after it", then, mark);
	HT_EQ(t, "MAGIC after it", ht_read32(&b, HSL_REG_MAGIC), HSL_MAGIC);
	ht_bar_unmap(&b);
	ht_bar_unmap(&m);
}

/* How often a link ceased to carry packets; 0 of a chip that does not count. */
static uint64_t link_downs(struct ht *t, uint32_t node, unsigned int link)
{
	uint64_t v[64];
	int i, n = hsl_counters(t->f, node, link, v, 64);

	for (i = 0; i < n && i < 64; i++)
		if (!strcmp(hsl_counter_name(link, (unsigned int)i), "downs"))
			return v[i];
	return 0;
}

/* Of links between chip k and the first one: how many carry packets, and how often they ceased to. */
static unsigned int links_to_first(struct ht *t, unsigned int k, uint64_t *downs)
{
	struct hsl_link_props l = { .size = sizeof(l) };
	unsigned int i, n = 0;

	for (i = 0; i < t->chip[k].nlinks; i++) {
		HT_OK(t, hsl_link_query(t->f, t->chip[k].node, i, &l));
		if (l.peer != t->chip[0].node)
			continue;
		n += l.state == HSL_LTSSM_L0 || l.state == HSL_LTSSM_L1;
		*downs += link_downs(t, t->chip[k].node, i);
	}
	return n;
}

static void d3hot_links(struct ht *t)
{
	unsigned int k, before = 0, asleep = 0;
	uint64_t downs = 0, then = 0;

	for (k = 1; k < t->nchips; k++)
		before += links_to_first(t, k, &downs);
	if (!before)
		HT_SKIP_TEST(t, "no chip has a link to chip %u", t->chip[0].node);
	ht_sleep(t, &t->chip[0]);
	for (k = 1; k < t->nchips; k++)
		asleep += links_to_first(t, k, &then);
	HT_EQ(t, "links to a chip in D3hot that carry packets", asleep, before);
	HT_EQ(t, "times that they went down", then, downs);
}

static void own_driver(struct ht *t)
{
	unsigned int i, off, n = 0;
	uint8_t cfg[4096];

	for (i = 0; i < t->nchips; i++) {
		off = dvsec(t, &t->chip[i], cfg);
		if (!(cfg32(cfg, off + HSL_DVSEC_O_BARS) & HSL_DVSEC_BARS_OWN_DRIVER))
			continue;
		n++;
		HT_TRUE(t, strcmp(t->chip[i].driver, "hsl_pci"), "chip %u asks for its maker's driver and has %s",
			t->chip[i].node, t->chip[i].driver);
	}
	if (!n)
		HT_SKIP_TEST(t, "no chip asks for its maker's driver");
}

const struct ht_test ht_tests_reg[] = {
	{ "HEP-REG-001", "dvsec_class",
	  "class 0x1200, and a DVSEC whose BAR indicators are implemented", dvsec_class, HT_F_BAR,
	  0 },
	{ "HEP-REG-002", "magic_version", "MAGIC, and VERSION alike in register, DVSEC and driver",
	  magic_version, HT_F_BAR, 0 },
	{ "HEP-REG-003", "undefined_registers", "undefined registers read zero and keep nothing",
	  undefined, HT_F_BAR, 0 },
	{ "HEP-REG-003", "reads_have_no_effect", "reading every register changes none",
	  read_no_effect, HT_F_BAR, 0 },
	{ "HEP-REG-004", "read_only", "read-only registers and link blocks ignore writes",
	  read_only, HT_F_BAR, 0 },
	{ "HEP-REG-005", "event_rw1c", "only the EVENT bits written as one are cleared", event_rw1c,
	  HT_F_BAR, 0 },
	{ "HEP-REG-006", "locked_while_enabled", "AQ and CTX registers ignore writes while enabled",
	  locked_while_enabled, HT_F_BAR, 0 },
	{ "HEP-REG-008", "flr_defaults",
	  "FLR clears registers, windows and queues and keeps memory", flr_defaults,
	  HT_F_BAR | HT_F_RESET, 0 },
	{ "HEP-REG-009", "doorbell_stride", "doorbell pages are 64 KiB apart or more, inside the BAR",
	  doorbell_stride, HT_F_BAR, 0 },
	{ "HEP-REG-010", "node_ids", "node ids differ and lie in 1 ... 16383", node_ids, 0, 0 },
	{ "HEP-REG-010", "fabric_id", "every function reports the same fabric id and its node",
	  fabric_id, HT_F_BAR, 0 },
	{ "HEP-REG-011", "two_halves",
	  "a 64-bit register works as two halves; the high one commits", halves, HT_F_BAR, 0 },
	{ "HEP-REG-012", "memory_size", "at least 128 MiB of chip memory", mem_size, 0, 0 },
	{ "HEP-REG-012", "memory_size_bar", "MEM_SIZE is what the memory BAR holds", mem_size_bar,
	  HT_F_BAR, 0 },
	{ "HEP-REG-013", "limits", "MAX_LEN of 64 MiB and MAX_DEPTH of 64 or more", limits, 0, 0 },
	{ "HEP-REG-014", "own_driver", "a chip that asks for its maker's driver has another than hsl_pci",
	  own_driver, HT_F_BAR, 0 },
	{ "HEP-REG-015", "d3hot", "in D3hot the BARs read as all ones; chip memory is what it was afterwards",
	  d3hot, HT_F_BAR | HT_F_RESET | HT_F_SLEEP, 0 },
	{ "HEP-REG-016", "d3hot_links", "links to a chip in D3hot stay up", d3hot_links,
	  HT_F_ROOT | HT_F_RESET | HT_F_TWO_CHIPS | HT_F_SLEEP, 0 },
	{ 0 }
};
