// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The sim backend's entry: URLs, the fabrics of the process, queries. See sim.h for the whole.
 *
 * URL: sim:TOPO<N>|FILE[,mem=SIZE][,queues=N][,profile=NAME|FILE][,time=modelled][,capture=FILE][,ambient=C][,deviate=NAME]
 * [,home=N][,remote=A-B:listen|connect:PATH[,open=SIZE][,patience=S]]. Fabrics are found by this text, so that equal URLs name one
 * fabric; it exists, with its memory, while a context of it is open. Files are read when it is made.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "model/conf.h"
#include "sim.h"

#define MEM_DEFAULT_BYTES	(256ull << 20)
#define MEM_MIN_BYTES		(128ull << 20)	/* HEP-REG-012 */
#define MEM_MAX_BYTES		(64ull << 30)
#define MEM_GRANULE_BYTES	(64ull << 10)
#define QUEUES_DEFAULT		63u
#define MEET_MS			10000u	/* for the program at the other end of a link to be there */
/* offsets of registered host memory; not 0, so that a zero offset is never valid */
#define HOST_GA_START		(1ull << 20)
#define HOST_GA_BYTES		((1ull << 47) - HOST_GA_START)

static struct sim_fabric *fabrics;	/* under fabrics_lock */
static pthread_mutex_t fabrics_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- URL ---- */

struct sim_config {
	struct hsl_model_config model;
	struct hsl_conf *conf;		/* of the topology's file, which model refers to; or NULL */
	uint64_t mem_bytes;
	uint32_t nqueues;
	bool modelled_time;
	char *capture;			/* file, or NULL; free() it */
	int ambient;			/* degrees Celsius around every chip */
	uint32_t deviation;		/* enum hsl_deviation, of every chip */
	uint32_t home_requests;		/* 0: as the engine has it */
	struct hsl_remote_config remote;	/* a 0: none */
	char *remote_text;		/* that remote.path is in; free() it */
	char why[256];			/* it was refused */
};

static int refuse(struct sim_config *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct sim_config *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(c->why, sizeof(c->why), format, ap);
	va_end(ap);
	return -EINVAL;
}

/* Digits at *s, moved past them. */
static bool parse_number(const char **s, uint64_t *value)
{
	const char *p = *s;
	uint64_t v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (v > (UINT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*s = p;
	*value = v;
	return true;
}

static bool parse_size(const char **s, uint64_t *bytes)
{
	unsigned int shift;

	if (!parse_number(s, bytes))
		return false;
	switch (**s) {
	case 'k': case 'K': shift = 10; break;
	case 'm': case 'M': shift = 20; break;
	case 'g': case 'G': shift = 30; break;
	default: return true;
	}
	(*s)++;
	if (*bytes > UINT64_MAX >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

/* All of a small file, malloc()ed; *len is above HSL_CONF_BYTES_MAX when it is not small. */
static char *read_file(const char *path, size_t *len)
{
	size_t room = HSL_CONF_BYTES_MAX + 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(room);
	ssize_t n = 1;

	*len = 0;
	while (text && n > 0 && *len < room) {
		n = read(fd, text + *len, room - *len);
		if (n < 0) {
			free(text);
			text = NULL;
		} else {
			*len += (size_t)n;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* The fabric file whose name is the first n bytes of name; free() it. */
static int read_conf(struct sim_config *c, const char *name, size_t n, struct hsl_conf **out)
{
	struct hsl_conf *conf = malloc(sizeof(*conf));
	char *path = strndup(name, n), *text = NULL;
	char why[160];
	int err = -ENOMEM;
	size_t len;

	if (!conf || !path)
		goto out;
	text = read_file(path, &len);
	if (!text) {
		err = refuse(c, "%s cannot be read: %s", path, strerror(errno));
		goto out;
	}
	err = hsl_conf_parse(conf, text, len, why, sizeof(why));
	if (err)
		refuse(c, "%s: %s", path, why);
out:
	free(text);
	free(path);
	if (err) {
		free(conf);
		return err;
	}
	*out = conf;
	return 0;
}

static bool is_file(const char *name, size_t n)
{
	return memchr(name, '/', n);
}

static int parse_topology_file(const char *name, size_t n, struct sim_config *c)
{
	int err = read_conf(c, name, n, &c->conf);

	if (err)
		return err;
	if (!c->conf->has_topology)
		return refuse(c, "the file has no [topology]");
	hsl_conf_topology(c->conf, &c->model);
	c->model.profile = c->conf->has_profile ? c->conf->profile : *hsl_profile_find("default");
	return 0;
}

static int parse_topology(const char **s, struct sim_config *c)
{
	size_t n = strcspn(*s, ",");
	char name[16];
	uint64_t v;

	if (is_file(*s, n)) {
		*s += n;
		return parse_topology_file(*s - n, n, c);
	}
	n = strcspn(*s, "0123456789,");
	if (n >= sizeof(name))
		return refuse(c, "unknown topology");
	memcpy(name, *s, n);
	name[n] = 0;
	*s += n;
	if (hsl_topology_parse(name, &c->model.topology))
		return refuse(c, "topology is pair, ring, mesh, switch, or a file with a / in its name");
	if (!parse_number(s, &v) || v < 1 || v > SIM_CHIPS_MAX)
		return refuse(c, "the topology's name is followed by the number of chips, 1 to 256");
	c->model.nodes = (uint32_t)v;
	c->model.profile = *hsl_profile_find("default");
	return 0;
}

static int parse_profile(const char **s, struct sim_config *c)
{
	size_t n = strcspn(*s, ",");
	const char *name = *s;
	struct hsl_conf *conf;
	char word[16] = "";
	int err;

	*s += n;
	if (!is_file(name, n)) {
		if (n < sizeof(word))
			memcpy(word, name, n);
		if (!hsl_profile_find(word))
			return refuse(c, "profile is default, gen2, pcie5, or a file with a / in its name");
		c->model.profile = *hsl_profile_find(word);
		return 0;
	}
	err = read_conf(c, name, n, &conf);
	if (err)
		return err;
	c->model.profile = conf->profile;
	if (!conf->has_profile)
		err = refuse(c, "the file has no [profile]");
	free(conf);
	return err;
}

static int parse_capture(const char **s, struct sim_config *c)
{
	size_t n = strcspn(*s, ",");

	if (!n || c->capture)
		return refuse(c, "capture is one file");
	c->capture = strndup(*s, n);
	*s += n;
	return c->capture ? 0 : -ENOMEM;
}

static int parse_deviation(const char **s, struct sim_config *c)
{
	size_t n = strcspn(*s, ",");
	char name[48] = "";

	if (n < sizeof(name))
		memcpy(name, *s, n);
	*s += n;
	c->deviation = hsl_deviation_find(name);
	return c->deviation ? 0 : refuse(c, "deviate is one of the names in qemu/model/deviations.def");
}

static int parse_remote(const char **s, struct sim_config *c)
{
	size_t n = strcspn(*s, ",");
	char *text = strndup(*s, n);

	*s += n;
	if (!text)
		return -ENOMEM;
	if (c->remote_text || !hsl_remote_parse(&c->remote, text)) {
		free(text);
		return refuse(c, "remote is NODE-NODE:listen:PATH or NODE-NODE:connect:PATH, this end's node first");
	}
	c->remote_text = text;
	return 0;
}

static int parse_open(const char **s, struct sim_config *c)
{
	uint64_t v;

	if (!parse_size(s, &v) || v % MEM_GRANULE_BYTES)
		return refuse(c, "open is a multiple of 64K, less than mem");
	c->remote.open_bytes = v;
	return 0;
}

static bool option(const char **s, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(*s, name, n))
		return false;
	*s += n;
	return true;
}

static int parse(const char *s, struct sim_config *c)
{
	int err = parse_topology(&s, c);
	uint64_t v = 0;

	while (!err && *s) {
		if (option(&s, ",mem=")) {
			if (!parse_size(&s, &c->mem_bytes) || c->mem_bytes < MEM_MIN_BYTES ||
			    c->mem_bytes > MEM_MAX_BYTES || c->mem_bytes % MEM_GRANULE_BYTES)
				err = refuse(c, "mem is a multiple of 64K from 128M to 64G");
		} else if (option(&s, ",queues=")) {
			if (!parse_number(&s, &v) || v < 1 || v > SIM_QUEUES_MAX)
				err = refuse(c, "queues is 1 to 255");
			c->nqueues = (uint32_t)v;
		} else if (option(&s, ",profile=")) {
			err = parse_profile(&s, c);
		} else if (option(&s, ",time=modelled") && (!*s || *s == ',')) {
			c->modelled_time = true;
		} else if (option(&s, ",capture=")) {
			err = parse_capture(&s, c);
		} else if (option(&s, ",ambient=")) {
			if (!parse_number(&s, &v) || v > HSL_HEAT_AMBIENT_MAX)
				err = refuse(c, "ambient is 0 to %d degrees Celsius", HSL_HEAT_AMBIENT_MAX);
			c->ambient = (int)v;
		} else if (option(&s, ",deviate=")) {
			err = parse_deviation(&s, c);
		} else if (option(&s, ",home=")) {
			if (!parse_number(&s, &v) || v < 2 || v > 65536)
				err = refuse(c, "home is 2 to 65536, the requests that a home has room for");
			c->home_requests = (uint32_t)v;
		} else if (option(&s, ",remote=")) {
			err = parse_remote(&s, c);
		} else if (option(&s, ",patience=")) {
			if (!parse_number(&s, &v) || v < 1 || v > 3600)
				err = refuse(c, "patience is 1 to 3600 seconds");
			c->remote.patience_ms = (unsigned int)v * 1000;
		} else if (option(&s, ",open=")) {
			err = parse_open(&s, c);
		} else {
			err = refuse(c, "options are mem=SIZE, queues=N, profile=NAME, time=modelled, capture=FILE, ambient=C, "
				     "deviate=NAME, home=N, remote=LINK:listen|connect:PATH, open=SIZE and patience=SECONDS");
		}
	}
	if (!err && c->remote.open_bytes >= c->mem_bytes)
		err = refuse(c, "open is less than mem");
	if (!err && (c->remote.open_bytes || c->remote.patience_ms) && !c->remote.a)
		err = refuse(c, "open and patience go with remote");
	return err;
}

/* ---- fabrics ---- */

static void fabric_free(struct sim_fabric *f)
{
	if (f->engine)
		hsl_fabric_engine_closing(f->engine);
	sim_exports_reap(f, true);
	for (uint32_t i = 0; i < f->nnodes; i++)
		if (f->chips[i])
			sim_chip_free(f->chips[i]);
	if (f->engine)
		hsl_fabric_engine_free(f->engine);
	sim_dma_free(f, f->ctx_table, SIM_CONTEXTS * sizeof(*f->ctx_table));
	sim_ranges_fini(&f->host_ga);
	sim_iova_fini(&f->iova);
	pthread_mutex_destroy(&f->events_lock);
	pthread_mutex_destroy(&f->run_lock);
	pthread_mutex_destroy(&f->lock);
	free(f->spec);
	free((void *)f->model.links);
	free(f);
}

static void capture_failed(void *opaque, int err)
{
	(void)opaque;
	hslp_err("sim: the capture ends, its file cannot be written: %s", strerror(-err));
}

/* ---- modelled time ---- */

static uint64_t now_ps(void *opaque)
{
	const struct sim_fabric *f = opaque;

	return f->now_ps;
}

/* Whoever waits for what has become due looks for it. */
static void due(void *opaque)
{
	(void)opaque;
}

bool sim_time_step(struct sim_fabric *f)
{
	uint64_t next;

	sim_run_begin(f);
	next = hsl_fabric_engine_run(f->engine);
	if (next < UINT64_MAX) {
		f->now_ps = next > f->now_ps ? next : f->now_ps;
		hsl_fabric_engine_run(f->engine);
	} else {
		f->now_ps += SIM_IDLE_PS;
	}
	sim_run_end(f);
	return next < UINT64_MAX;
}

static int run_lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;
	int err = pthread_mutexattr_init(&attr);

	if (err)
		return -err;
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	err = pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return -err;
}

static void remote_says(void *opaque, bool there, const char *text)
{
	struct sim_fabric *f = opaque;

	if (there) {
		hslp_info("sim:%s: the other end of the link: %s", f->spec, text);
	} else {
		snprintf(f->gone, sizeof(f->gone), "%s", text);
		hslp_warn("sim:%s: the other end of the link is gone: %s", f->spec, text);
	}
}

static int fabric_make(const char *spec, const struct sim_config *cfg, struct sim_fabric **out)
{
	struct hsl_fabric_engine_config ec = {
		.model = cfg->model,
		.home_requests = cfg->home_requests,
		.modelled = true,
	};
	struct hsl_remote_config remote = cfg->remote;
	const char *why;
	struct sim_fabric *f;
	char tell[256];
	int err;

	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	err = -pthread_mutex_init(&f->lock, NULL);
	if (err)
		goto free_memory;
	err = run_lock_init(&f->run_lock);
	if (err)
		goto destroy_lock;
	err = -pthread_mutex_init(&f->events_lock, NULL);
	if (err)
		goto destroy_run_lock;
	f->next_event = 1;
	err = sim_iova_init(&f->iova);
	if (err)
		goto destroy_events_lock;
	/* from here on fabric_free knows what to undo */
	f->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	err = sim_ranges_init(&f->host_ga, HOST_GA_START, HOST_GA_BYTES);
	if (err)
		goto free_all;
	err = -ENOMEM;
	f->spec = strdup(spec);
	f->model = cfg->model;
	f->model.links = NULL;
	if (cfg->model.nlinks) {
		struct hsl_topo_link *links = calloc(cfg->model.nlinks, sizeof(*links));

		if (!links)
			goto free_all;
		memcpy(links, cfg->model.links, cfg->model.nlinks * sizeof(*links));
		f->model.links = links;
	}
	f->ctx_table = sim_dma_alloc(f, SIM_CONTEXTS * sizeof(*f->ctx_table));
	if (!f->spec || !f->ctx_table)
		goto free_all;
	err = -EIO;
	if (getrandom(f->fabric_id, sizeof(f->fabric_id), 0) != sizeof(f->fabric_id))
		goto free_all;
	memcpy(ec.fabric_id, f->fabric_id, sizeof(ec.fabric_id));
	f->modelled_time = cfg->modelled_time;
	if (cfg->modelled_time) {
		ec.now_ps = now_ps;
		ec.due = due;
		ec.opaque = f;
	}
	if (remote.a) {
		remote.say = remote_says;
		remote.opaque = f;
		ec.remote = &remote;
		f->open_bytes = remote.open_bytes;
	}
	f->engine = hsl_fabric_engine_new(&ec, &why);
	if (!f->engine) {
		err = -errno;
		hslp_err("sim:%s: %s", spec, why);
		goto free_all;
	}
	if (cfg->capture) {
		err = hsl_fabric_engine_capture(f->engine, cfg->capture, capture_failed, NULL);
		if (err) {
			hslp_err("sim:%s: capture: %s: %s", spec, cfg->capture, strerror(-err));
			goto free_all;
		}
	}
	if (cfg->deviation)
		hslp_err("sim:%s: %s", spec, hsl_deviation_tell(cfg->deviation, tell, sizeof(tell)));
	for (uint32_t i = 0; i < cfg->model.nodes; i++) {
		f->nnodes++;
		if (hsl_fabric_engine_is_remote(f->engine, i + 1))
			continue;
		err = sim_chip_new(f, i + 1, cfg->mem_bytes, cfg->nqueues, cfg->ambient, cfg->deviation, &f->chips[i]);
		if (err)
			goto free_all;
		f->nchips++;
	}
	err = hsl_fabric_engine_meet(f->engine, MEET_MS);
	if (err) {
		if (err == -EPROTO)
			hslp_err("sim:%s: the other end at %s does not fit: %s", spec, cfg->remote.path, f->gone);
		else
			hslp_err("sim:%s: nobody to talk to at %s: %s", spec, cfg->remote.path, strerror(-err));
		goto free_all;
	}
	hslp_info("sim:%s: %u chips of %" PRIu64 " MiB", spec, f->nchips, cfg->mem_bytes >> 20);
	*out = f;
	return 0;

free_all:
	fabric_free(f);
	return err;
destroy_events_lock:
	pthread_mutex_destroy(&f->events_lock);
destroy_run_lock:
	pthread_mutex_destroy(&f->run_lock);
destroy_lock:
	pthread_mutex_destroy(&f->lock);
free_memory:
	free(f);
	return err;
}

static int fabric_new(const char *spec, struct sim_fabric **out)
{
	struct sim_config cfg = { .mem_bytes = MEM_DEFAULT_BYTES, .nqueues = QUEUES_DEFAULT, .ambient = HSL_HEAT_AMBIENT };
	const char *why = cfg.why;
	int err = parse(spec, &cfg);

	if (!err) {
		cfg.model.host_node = HSL_NODE_HOST_DEFAULT;
		why = hsl_model_check(&cfg.model);
		err = why ? -EINVAL : 0;
	}
	if (err == -EINVAL)
		hslp_err("sim:%s: %s", spec, why);
	if (!err)
		err = fabric_make(spec, &cfg, out);
	free(cfg.remote_text);
	free(cfg.capture);
	free(cfg.conf);
	return err;
}

/* Under fabrics_lock. */
static int fabric_get(const char *spec, struct sim_fabric **out)
{
	struct sim_fabric *f = fabrics;
	int err;

	while (f && strcmp(f->spec, spec))
		f = f->next;
	if (!f) {
		err = fabric_new(spec, &f);
		if (err)
			return err;
		f->next = fabrics;
		fabrics = f;
	}
	f->refs++;
	*out = f;
	return 0;
}

/* Under fabrics_lock. */
static void fabric_put(struct sim_fabric *f)
{
	struct sim_fabric **p = &fabrics;

	if (--f->refs)
		return;
	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	fabric_free(f);
}

/*
 * A child has the parent's objects without the threads behind them: it starts anew, and what it opens is its own. What
 * it has inherited is never freed.
 */
static void before_fork(void)
{
	pthread_mutex_lock(&fabrics_lock);
	sim_share_before_fork();
}

static void after_fork(void)
{
	sim_share_after_fork(false);
	pthread_mutex_unlock(&fabrics_lock);
}

static void after_fork_in_child(void)
{
	fabrics = NULL;
	sim_share_after_fork(true);
	pthread_mutex_unlock(&fabrics_lock);
}

static void prepare_for_fork(void)
{
	if (pthread_atfork(before_fork, after_fork, after_fork_in_child))
		hslp_warn("sim: a child of this process must not open sim:");
}

/* ---- the backend ---- */

static void sim_close(struct hsl_fabric *f)
{
	struct sim_fabric *sf = f->sim->fabric;

	pthread_mutex_lock(&sf->lock);
	sim_context_free(f->sim);
	pthread_mutex_unlock(&sf->lock);
	pthread_mutex_lock(&fabrics_lock);
	fabric_put(sf);
	pthread_mutex_unlock(&fabrics_lock);
}

static int sim_info(struct hsl_fabric *f, struct hsl_info *i)
{
	struct sim_fabric *sf = f->sim->fabric;

	i->abi_version = 0;
	i->nchips = sf->nchips;
	i->fabric_id[0] = sf->fabric_id[0];
	i->fabric_id[1] = sf->fabric_id[1];
	i->host_node = HSL_NODE_HOST_DEFAULT;
	i->ga_offset_bits = HSL_GA_OFFSET_BITS;
	i->page_size = sf->page_size;
	i->ctx_index = f->sim->index;
	return 0;
}

static uint32_t free_queues(struct sim_chip *c)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i < c->nqueues; i++)
		n += !c->queues[i];
	return n;
}

/* Chips of another program have no index. */
static struct sim_chip *chip_by_index(struct sim_fabric *f, uint32_t index)
{
	for (uint32_t i = 0; i < f->nnodes; i++)
		if (f->chips[i] && !index--)
			return f->chips[i];
	return NULL;
}

static int sim_chip_info(struct hsl_fabric *f, struct hsl_chip_info *i)
{
	struct sim_fabric *sf = f->sim->fabric;
	struct sim_chip *c;

	if ((i->flags & HSL_CHIP_BY_INDEX) && i->node >= sf->nchips)
		return -ENOENT;
	c = i->flags & HSL_CHIP_BY_INDEX ? chip_by_index(sf, i->node) : sim_chip_find(sf, i->node);
	if (!c)
		return -ENOENT;
	i->node = (uint32_t)sim_read(c, HSL_REG_NODE, 4);
	i->mem_bytes = sim_read(c, HSL_REG_MEM_SIZE, 8);
	i->cap = sim_read(c, HSL_REG_CAP, 8);
	i->max_len_bytes = sim_read(c, HSL_REG_MAX_LEN, 8);
	i->hep_version = (uint32_t)sim_read(c, HSL_REG_VERSION, 4);
	i->max_depth = (uint32_t)sim_read(c, HSL_REG_MAX_DEPTH, 4);
	i->nqueues = (uint32_t)sim_read(c, HSL_REG_NQUEUES, 4) - 1;
	i->nlinks = (uint32_t)sim_read(c, HSL_REG_NLINKS, 4);
	i->numa_node = -1;
	snprintf((char *)i->bus_addr, sizeof(i->bus_addr), "sim:%u", i->node);
	snprintf((char *)i->driver, sizeof(i->driver), "sim");
	pthread_mutex_lock(&sf->lock);
	sim_exports_reap(sf, false);
	i->state = c->failed ? HSL_CHIP_FAILED : HSL_CHIP_READY;
	i->mem_free_bytes = c->free.free_bytes;
	i->nqueues_free = free_queues(c);
	pthread_mutex_unlock(&sf->lock);
	return 0;
}

/* Links of a switch are in no chip's registers: the engine knows them. */
static int switch_link_info(struct hsl_fabric *f, struct hsl_link_info *l)
{
	struct hsl_model_link m;

	if (hsl_fabric_engine_link(f->sim->fabric->engine, l->node, l->index, &m))
		return -ENOENT;
	l->peer = m.peer;
	l->peer_type = m.peer_type;
	l->state = m.state;
	l->width = m.width;
	l->rate_mtps = m.rate_mtps;
	l->latency_ps = m.latency_ps;
	l->max_width = m.max_width;
	l->max_rate_mtps = m.max_rate_mtps;
	return 0;
}

static int sim_link_info(struct hsl_fabric *f, struct hsl_link_info *l)
{
	struct sim_chip *c = sim_chip_find(f->sim->fabric, l->node);
	uint64_t block;
	uint32_t peer;

	if (!c)
		return l->node >= HSL_NODE_SWITCH_FIRST ? switch_link_info(f, l) : -ENOENT;
	if (l->index >= sim_read(c, HSL_REG_NLINKS, 4))
		return -ENOENT;
	block = HSL_REG_LINK(l->index);
	peer = (uint32_t)sim_read(c, block + HSL_LINK_O_PEER, 4);
	l->peer = peer & 0xffff;
	l->peer_type = (peer >> 16) & 0xff;
	l->state = (uint32_t)sim_read(c, block + HSL_LINK_O_STATE, 4);
	l->width = (uint32_t)sim_read(c, block + HSL_LINK_O_WIDTH, 4);
	l->rate_mtps = (uint32_t)sim_read(c, block + HSL_LINK_O_RATE, 4);
	l->latency_ps = (uint32_t)sim_read(c, block + HSL_LINK_O_LATENCY, 4);
	l->max_width = (uint32_t)sim_read(c, block + HSL_LINK_O_MAX_WIDTH, 4);
	l->max_rate_mtps = (uint32_t)sim_read(c, block + HSL_LINK_O_MAX_RATE, 4);
	return 0;
}

static int alloc_segment(struct hsl_fabric *f, struct hsl_segment_alloc *a)
{
	int err;

	pthread_mutex_lock(&f->sim->fabric->lock);
	err = sim_segment_alloc(f->sim, a);
	pthread_mutex_unlock(&f->sim->fabric->lock);
	return err;
}

static int register_segment(struct hsl_fabric *f, struct hsl_segment_register *r)
{
	int err;

	pthread_mutex_lock(&f->sim->fabric->lock);
	err = sim_segment_register(f->sim, r);
	pthread_mutex_unlock(&f->sim->fabric->lock);
	return err;
}

static int free_segment(struct hsl_fabric *f, uint32_t handle)
{
	int err;

	pthread_mutex_lock(&f->sim->fabric->lock);
	err = sim_segment_free(f->sim, handle);
	pthread_mutex_unlock(&f->sim->fabric->lock);
	return err;
}

static int segment_info(struct hsl_fabric *f, struct hsl_segment_info *i)
{
	int err;

	pthread_mutex_lock(&f->sim->fabric->lock);
	err = sim_segment_info(f->sim, i);
	pthread_mutex_unlock(&f->sim->fabric->lock);
	return err;
}

static int export_segment(struct hsl_fabric *f, struct hsl_segment_export *e)
{
	int err;

	pthread_mutex_lock(&f->sim->fabric->lock);
	err = sim_segment_export(f->sim, e);
	pthread_mutex_unlock(&f->sim->fabric->lock);
	return err;
}

static int import_segment(struct hsl_fabric *f, struct hsl_segment_import *i)
{
	int err;

	pthread_mutex_lock(&f->sim->fabric->lock);
	err = sim_segment_import(f->sim, i);
	pthread_mutex_unlock(&f->sim->fabric->lock);
	return err;
}

static int revoke_segment(struct hsl_fabric *f, uint32_t handle)
{
	int err;

	pthread_mutex_lock(&f->sim->fabric->lock);
	err = sim_segment_revoke(f->sim, handle);
	pthread_mutex_unlock(&f->sim->fabric->lock);
	return err;
}

static int map_segment(struct hsl_fabric *f, const struct hsl_segment *s, int prot, void *at, void **ptr)
{
	struct sim_fabric *sf = f->sim->fabric;
	struct sim_chip *c = sim_chip_find(sf, HSL_GA_NODE(s->ga));
	struct sim_segment *seg;
	void *p = MAP_FAILED;
	int err = 0;

	/* a view of its own: it has the segment's rights, and is gone after the free */
	pthread_mutex_lock(&sf->lock);
	seg = f->sim->segs[s->handle];
	if (!seg || (!seg->mem && !seg->fixed)) {
		err = -ENXIO;
		goto unlock;
	}
	/* the process' loads and stores would go past links and caches, and see memory that is older than those */
	if (seg->flags & HSL_ALLOC_OBSERVABLE) {
		err = -EOPNOTSUPP;
		goto unlock;
	}
	p = mmap(at, s->len_bytes, prot, MAP_SHARED | (at ? MAP_FIXED : 0), prot & PROT_WRITE ? c->memfd : c->memfd_ro,
		 (off_t)HSL_GA_OFFSET(s->ga));
	if (p == MAP_FAILED) {
		err = -errno;
		goto unlock;
	}
	/* a revoke has to find it */
	seg->map = p;
	*ptr = p;
unlock:
	pthread_mutex_unlock(&sf->lock);
	return err;
}

static int sim_clock(struct hsl_fabric *f, uint64_t *ns)
{
	struct sim_fabric *sf = f->sim->fabric;

	sim_run_begin(sf);
	*ns = sf->now_ps / 1000;
	sim_run_end(sf);
	return 0;
}

#define SIM_OPS										\
	.name = "sim",									\
	.close = sim_close,								\
	.info = sim_info,								\
	.chip_info = sim_chip_info,							\
	.link_info = sim_link_info,							\
	.counter = sim_counter,								\
	.sensors = sim_sensors,								\
	.ctf_open = sim_ctf_open,							\
	.ctf_close = sim_ctf_close,							\
	.ctf_read = sim_ctf_read,							\
	.ctf_write = sim_ctf_write,							\
	.segment_alloc = alloc_segment,							\
	.segment_register = register_segment,						\
	.segment_free = free_segment,							\
	.segment_info = segment_info,							\
	.segment_map = map_segment,							\
	.segment_export = export_segment,						\
	.segment_import = import_segment,						\
	.segment_revoke = revoke_segment,						\
	.event_fd = sim_event_fd,							\
	.event_read = sim_event_read,							\
	.queue_create = sim_queue_create,						\
	.queue_destroy = sim_queue_destroy,						\
	.queue_doorbell = sim_queue_doorbell,						\
	.queue_arm = sim_queue_arm,							\
	.queue_eventfd = sim_queue_eventfd,						\
	.queue_abort = sim_queue_abort,							\
	.queue_moderate = sim_queue_moderate,						\
	.queue_refresh = sim_queue_refresh,						\
	.queue_fd_rearm = sim_queue_fd_rearm

static const struct hsl_backend_ops sim_ops = { SIM_OPS };
static const struct hsl_backend_ops sim_modelled_ops = { SIM_OPS, .clock = sim_clock, .queue_idle = sim_queue_idle };

int hslp_sim_open(struct hsl_fabric *f, const char *spec)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sim_fabric *sf;
	int err;

	pthread_once(&once, prepare_for_fork);
	pthread_mutex_lock(&fabrics_lock);
	err = fabric_get(spec, &sf);
	if (err)
		goto unlock;
	pthread_mutex_lock(&sf->lock);
	err = sim_context_new(sf, &f->sim);
	pthread_mutex_unlock(&sf->lock);
	if (err) {
		fabric_put(sf);
		goto unlock;
	}
	f->ops = sf->modelled_time ? &sim_modelled_ops : &sim_ops;
	sim_info(f, &f->info);
unlock:
	pthread_mutex_unlock(&fabrics_lock);
	return err;
}

/* ---- for tests ---- */

int hslp_sim_reset_chip(struct hsl_fabric *f, uint32_t node)
{
	struct sim_fabric *sf = f->sim->fabric;
	struct sim_chip *c = sim_chip_find(sf, node);
	int err;

	if (!c)
		return -ENOENT;
	pthread_mutex_lock(&sf->lock);
	err = sim_chip_reset(c);
	pthread_mutex_unlock(&sf->lock);
	return err;
}

int hslp_sim_set_link(struct hsl_fabric *f, uint32_t a, uint32_t b, bool up)
{
	return hsl_fabric_engine_set_link(f->sim->fabric->engine, a, b, up);
}

struct hsl_chip_engine *hslp_sim_engine(struct hsl_fabric *f, uint32_t node)
{
	struct sim_chip *c = sim_chip_find(f->sim->fabric, node);

	return c ? c->engine : NULL;
}
