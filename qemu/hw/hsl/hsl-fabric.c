/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hsl-fabric: what joins chips. A user-creatable object that owns the engine of one fabric and knows its chips.
 *
 *   -object hsl-fabric,id=fab0,topology=mesh,nodes=4,profile=default
 *
 * Properties: topology (pair, ring, mesh, switch, or a fabric file: docs/fabric-files.md), nodes (chips the topology is
 * built for; they may come and go; a file says it itself), profile (link profile, or a file), host-node (node id of this
 * VM), workers (0: spare cores), uuid (fabric id; by default made from the object's id, so that it is the same in every
 * run and differs between fabrics of a VM), modelled (chips have CAP.MODELLED; on by default, and off for more than 64
 * chips), time (wall; modelled: see hsl-time.c, needs -icount), remote, open and patience (a link that leaves the fabric:
 * docs/flit-socket.md; not in modelled time), and at run time
 * link-down, the list of links that are held down: qom-set path=/objects/fab0 property=link-down value="1-2 2-3", and
 * capture, the pcapng file that takes all that links carry (docs/capture.md): a path begins one, "" ends it, and inject,
 * which makes errors as 'hslctl inject' does: property=inject value="1-2 ber 1e-6 seed 7" (docs/architecture.md).
 *
 * States: properties can be set -> complete: engine exists, chips attach and detach -> with remote, when the machine is
 * done: the other program is met -> finalize. Chips hold references,
 * and object_del is refused while there are any, so the engine outlives them. All of it is under the BQL.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/cutils.h"
#include "qemu/rcu.h"
#include "qom/object_interfaces.h"
#include "hw/hsl/hsl.h"
#include "model/conf.h"
#include "trace.h"

typedef struct HslLink {
    uint32_t a, b;
} HslLink;

void hsl_fabric_call(HslFabric *f, HslBqlFunc *fn, void *opaque)
{
    if (f->modelled_time) {
        fn(opaque);
    } else {
        hsl_bql_lend(fn, opaque);
    }
}

/* ---- links held down ---- */

/* The links in a list "1-2 2-3"; NULL and *errp if it is not one. */
static GArray *hsl_links_parse(const char *list, Error **errp)
{
    g_auto(GStrv) words = g_strsplit_set(list ? list : "", " ,", -1);
    GArray *links = g_array_new(false, true, sizeof(HslLink));

    for (char **w = words; *w; w++) {
        unsigned int a, b;
        const char *end;

        if (!**w) {
            continue;
        }
        if (qemu_strtoui(*w, &end, 10, &a) || *end != '-' || qemu_strtoui(end + 1, NULL, 10, &b)) {
            error_setg(errp, "link-down: '%s' is not a link, links are written as 1-2", *w);
            g_array_free(links, true);
            return NULL;
        }
        g_array_append_val(links, ((HslLink) { MIN(a, b), MAX(a, b) }));
    }
    return links;
}

static bool hsl_links_have(const GArray *links, const HslLink *link)
{
    for (guint i = 0; i < links->len; i++) {
        const HslLink *l = &g_array_index(links, HslLink, i);

        if (l->a == link->a && l->b == link->b) {
            return true;
        }
    }
    return false;
}

typedef struct HslLinkJob {
    HslFabric *fabric;
    HslLink link;
    bool up;
    int ret;
} HslLinkJob;

static void hsl_link_job(void *opaque)
{
    HslLinkJob *job = opaque;

    job->ret = hsl_fabric_engine_set_link(job->fabric->engine, job->link.a, job->link.b, job->up);
}

static bool hsl_link_set(HslFabric *f, const HslLink *link, bool up, Error **errp)
{
    HslLinkJob job = { f, *link, up, 0 };

    hsl_fabric_call(f, hsl_link_job, &job);
    if (job.ret) {
        error_setg(errp, "link-down: no link %u-%u in this %s", link->a, link->b, f->topology);
        return false;
    }
    trace_hsl_fabric_link(link->a, link->b, up);
    return true;
}

/* Links in `from` and not in `to` come up, those in `to` and not in `from` go down. On error some may have changed. */
static bool hsl_links_apply(HslFabric *f, const char *from, const char *to, Error **errp)
{
    g_autoptr(GArray) now = hsl_links_parse(from, errp);
    g_autoptr(GArray) want = now ? hsl_links_parse(to, errp) : NULL;

    if (!want) {
        return false;
    }
    for (guint i = 0; i < want->len; i++) {
        const HslLink *l = &g_array_index(want, HslLink, i);

        if (!hsl_links_have(now, l) && !hsl_link_set(f, l, false, errp)) {
            return false;
        }
    }
    for (guint i = 0; i < now->len; i++) {
        const HslLink *l = &g_array_index(now, HslLink, i);

        if (!hsl_links_have(want, l) && !hsl_link_set(f, l, true, errp)) {
            return false;
        }
    }
    return true;
}

/* ---- capture ---- */

static void hsl_capture_failed(void *opaque, int err)
{
    error_report("hsl-fabric: the capture ends, its file cannot be written: %s", strerror(-err));
}

static bool hsl_capture_set(HslFabric *f, const char *path, Error **errp)
{
    int err = hsl_fabric_engine_capture(f->engine, *path ? path : NULL, hsl_capture_failed, NULL);

    if (err == -EOPNOTSUPP) {
        error_setg(errp, "capture: the links of this fabric are not modelled");
    } else if (err) {
        error_setg_errno(errp, -err, "capture: cannot write %s", path);
    }
    return !err;
}

/* ---- a link to another program ---- */

#define HSL_MEET_MS     10000u          /* who connects at start waits so long, and does not start if nobody comes */
#define HSL_MEET_LATE_MS 1000u          /* while the VM runs, and stands still meanwhile */

/* In any thread, with locks of the engine held. */
static void hsl_remote_says(void *opaque, bool there, const char *text)
{
    if (there) {
        info_report("hsl-fabric: the other end of the link: %s", text);
    } else {
        warn_report("hsl-fabric: the other end of the link is gone: %s", text);
    }
}

static bool hsl_remote_config(HslFabric *f, struct hsl_remote_config *remote, Error **errp)
{
    *remote = (struct hsl_remote_config) {
        .open_bytes = f->open, .patience_ms = f->patience * 1000, .say = hsl_remote_says,
    };
    if (!f->remote && (f->open || f->patience)) {
        error_setg(errp, "hsl-fabric: open and patience go with remote");
        return false;
    }
    if (f->remote && !hsl_remote_parse(remote, f->remote)) {
        error_setg(errp, "remote=%s: NODE-NODE:listen:PATH or NODE-NODE:connect:PATH, this end's node first", f->remote);
        return false;
    }
    if (f->open % HSL_WIN_ALIGN) {
        error_setg(errp, "open=%" PRIu64 ": a multiple of 64 KiB", f->open);
        return false;
    }
    if (f->patience > 3600) {
        error_setg(errp, "patience=%u: at most 3600 seconds", f->patience);
        return false;
    }
    return true;
}

typedef struct HslMeetJob {
    HslFabric *fabric;
    unsigned int wait_ms;
    int ret;
} HslMeetJob;

static void hsl_meet_job(void *opaque)
{
    HslMeetJob *job = opaque;

    job->ret = hsl_fabric_engine_meet(job->fabric->engine, job->wait_ms);
}

static bool hsl_fabric_meet(HslFabric *f, unsigned int wait_ms, Error **errp)
{
    HslMeetJob job = { f, wait_ms, 0 };

    hsl_fabric_call(f, hsl_meet_job, &job);
    if (job.ret) {
        error_setg_errno(errp, -job.ret, "remote=%s: nobody to talk to there", f->remote);
    }
    return !job.ret;
}

static void hsl_fabric_machine_done(Notifier *n, void *data)
{
    HslFabric *f = container_of(n, HslFabric, machine_done);

    hsl_fabric_meet(f, HSL_MEET_MS, &error_fatal);
}

/* ---- errors on purpose ---- */

typedef struct HslInjectJob {
    HslFabric *fabric;
    const char *text;
    char why[200];
    int ret;
} HslInjectJob;

static void hsl_inject_job(void *opaque)
{
    HslInjectJob *job = opaque;

    job->ret = hsl_fabric_engine_inject(job->fabric->engine, job->text, job->why, sizeof(job->why));
}

static bool hsl_inject_set(HslFabric *f, const char *text, Error **errp)
{
    HslInjectJob job = { .fabric = f, .text = text };

    if (!*text) {
        return true;
    }
    hsl_fabric_call(f, hsl_inject_job, &job);
    if (job.ret) {
        error_setg(errp, "inject: %s", job.why);
        return false;
    }
    trace_hsl_fabric_inject(text);
    return true;
}

/* ---- properties ---- */

static bool hsl_fabric_can_set(HslFabric *f, const char *name, Error **errp)
{
    if (f->engine) {
        error_setg(errp, "'%s' of an hsl-fabric cannot change after its creation", name);
        return false;
    }
    return true;
}

#define HSL_FABRIC_STRING(field, name)                                                          \
static char *hsl_fabric_get_##field(Object *obj, Error **errp)                                  \
{                                                                                               \
    return g_strdup(HSL_FABRIC(obj)->field);                                                    \
}                                                                                               \
static void hsl_fabric_set_##field(Object *obj, const char *value, Error **errp)                \
{                                                                                               \
    HslFabric *f = HSL_FABRIC(obj);                                                             \
                                                                                                \
    if (hsl_fabric_can_set(f, name, errp)) {                                                    \
        g_free(f->field);                                                                       \
        f->field = g_strdup(value);                                                             \
    }                                                                                           \
}
static bool hsl_fabric_get_modelled(Object *obj, Error **errp)
{
    return HSL_FABRIC(obj)->modelled;
}

static void hsl_fabric_set_modelled(Object *obj, bool value, Error **errp)
{
    HslFabric *f = HSL_FABRIC(obj);

    if (hsl_fabric_can_set(f, "modelled", errp)) {
        f->modelled = value;
    }
}

static char *hsl_fabric_get_time(Object *obj, Error **errp)
{
    return g_strdup(HSL_FABRIC(obj)->modelled_time ? "modelled" : "wall");
}

static void hsl_fabric_set_time(Object *obj, const char *value, Error **errp)
{
    HslFabric *f = HSL_FABRIC(obj);

    if (!hsl_fabric_can_set(f, "time", errp)) {
        return;
    }
    if (strcmp(value, "wall") && strcmp(value, "modelled")) {
        error_setg(errp, "hsl-fabric: time=%s: wall or modelled", value);
        return;
    }
    f->modelled_time = !strcmp(value, "modelled");
}

HSL_FABRIC_STRING(topology, "topology")
HSL_FABRIC_STRING(profile, "profile")
HSL_FABRIC_STRING(remote, "remote")

static char *hsl_fabric_get_uuid(Object *obj, Error **errp)
{
    return qemu_uuid_unparse_strdup(&HSL_FABRIC(obj)->uuid);
}

static void hsl_fabric_set_uuid(Object *obj, const char *value, Error **errp)
{
    HslFabric *f = HSL_FABRIC(obj);

    if (!hsl_fabric_can_set(f, "uuid", errp)) {
        return;
    }
    if (qemu_uuid_parse(value, &f->uuid) || qemu_uuid_is_null(&f->uuid)) {
        error_setg(errp, "'%s' is not a UUID", value);
        return;
    }
    f->uuid_set = true;
}

static char *hsl_fabric_get_link_down(Object *obj, Error **errp)
{
    return g_strdup(HSL_FABRIC(obj)->link_down);
}

static void hsl_fabric_set_link_down(Object *obj, const char *value, Error **errp)
{
    HslFabric *f = HSL_FABRIC(obj);

    if (f->engine && !hsl_links_apply(f, f->link_down, value, errp)) {
        return;
    }
    g_free(f->link_down);
    f->link_down = g_strdup(value);
}

static char *hsl_fabric_get_capture(Object *obj, Error **errp)
{
    return g_strdup(HSL_FABRIC(obj)->capture);
}

static void hsl_fabric_set_capture(Object *obj, const char *value, Error **errp)
{
    HslFabric *f = HSL_FABRIC(obj);

    if (f->engine && !hsl_capture_set(f, value, errp)) {
        return;
    }
    g_free(f->capture);
    f->capture = g_strdup(value);
}

static char *hsl_fabric_get_inject(Object *obj, Error **errp)
{
    return g_strdup(HSL_FABRIC(obj)->inject);
}

static void hsl_fabric_set_inject(Object *obj, const char *value, Error **errp)
{
    HslFabric *f = HSL_FABRIC(obj);

    if (f->engine && !hsl_inject_set(f, value, errp)) {
        return;
    }
    g_free(f->inject);
    f->inject = g_strdup(value);
}

/* opaque: offset of the uint32_t in HslFabric */
static void hsl_fabric_get_u32(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    uint32_t value = *(uint32_t *)((char *)HSL_FABRIC(obj) + (uintptr_t)opaque);

    visit_type_uint32(v, name, &value, errp);
}

static void hsl_fabric_set_u32(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    HslFabric *f = HSL_FABRIC(obj);
    uint32_t value;

    if (hsl_fabric_can_set(f, name, errp) && visit_type_uint32(v, name, &value, errp)) {
        *(uint32_t *)((char *)f + (uintptr_t)opaque) = value;
    }
}

static void hsl_fabric_get_open(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    uint64_t value = HSL_FABRIC(obj)->open;

    visit_type_size(v, name, &value, errp);
}

static void hsl_fabric_set_open(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    HslFabric *f = HSL_FABRIC(obj);
    uint64_t value;

    if (hsl_fabric_can_set(f, name, errp) && visit_type_size(v, name, &value, errp)) {
        f->open = value;
    }
}

/* ---- life ---- */

/* A UUID of version 8 (RFC 9562) from the object's id: the same in every run, another for every fabric of the VM. */
static void hsl_fabric_default_uuid(HslFabric *f)
{
    g_autofree char *path = object_get_canonical_path(OBJECT(f));
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    uint8_t digest[32];
    gsize len = sizeof(digest);

    g_checksum_update(sum, (const guchar *)"hsl-fabric:", -1);
    g_checksum_update(sum, (const guchar *)path, -1);
    g_checksum_get_digest(sum, digest, &len);
    memcpy(f->uuid.data, digest, sizeof(f->uuid.data));
    f->uuid.data[6] = (f->uuid.data[6] & 0x0f) | 0x80;
    f->uuid.data[8] = (f->uuid.data[8] & 0x3f) | 0x80;
}

/* ---- files ---- */

/* A fabric file; NULL and *errp. g_free() it. */
static struct hsl_conf *hsl_conf_read(const char *path, Error **errp)
{
    g_autofree struct hsl_conf *conf = g_new(struct hsl_conf, 1);
    g_autofree char *text = NULL;
    g_autoptr(GError) err = NULL;
    char why[160];
    gsize len;

    if (!g_file_get_contents(path, &text, &len, &err)) {
        error_setg(errp, "hsl-fabric: %s", err->message);
        return NULL;
    }
    if (hsl_conf_parse(conf, text, len, why, sizeof(why))) {
        error_setg(errp, "%s: %s", path, why);
        return NULL;
    }
    return g_steal_pointer(&conf);
}

static bool hsl_is_file(const char *name)
{
    return name && strchr(name, '/');
}

/* The topology, and the profile of its file if there is one and no other was asked for. */
static bool hsl_fabric_topology(HslFabric *f, struct hsl_conf *conf, struct hsl_model_config *model, Error **errp)
{
    if (!conf) {
        if (hsl_topology_parse(f->topology, &model->topology)) {
            error_setg(errp, "unknown topology '%s' (pair, ring, mesh, switch and files with a / in their names are known)",
                       f->topology);
            return false;
        }
        if (!f->nodes) {
            f->nodes = model->topology == HSL_TOPO_PAIR ? 2 : 4;
        }
        model->nodes = f->nodes;
        return true;
    }
    if (!conf->has_topology) {
        error_setg(errp, "%s: the file has no [topology]", f->topology);
        return false;
    }
    if (f->nodes && f->nodes != conf->chips) {
        error_setg(errp, "nodes=%u: %s has %u chips", f->nodes, f->topology, conf->chips);
        return false;
    }
    hsl_conf_topology(conf, model);
    f->nodes = conf->chips;
    if (conf->has_profile) {
        model->profile = conf->profile;
    }
    return true;
}

static bool hsl_fabric_profile(HslFabric *f, struct hsl_model_config *model, Error **errp)
{
    g_autofree struct hsl_conf *conf = NULL;

    if (!hsl_is_file(f->profile)) {
        if (!hsl_profile_find(f->profile)) {
            error_setg(errp, "unknown link profile '%s'", f->profile);
            return false;
        }
        model->profile = *hsl_profile_find(f->profile);
        return true;
    }
    conf = hsl_conf_read(f->profile, errp);
    if (!conf) {
        return false;
    }
    if (!conf->has_profile) {
        error_setg(errp, "%s: the file has no [profile]", f->profile);
        return false;
    }
    model->profile = conf->profile;
    return true;
}

static void hsl_fabric_thread_start(void *opaque)
{
    rcu_register_thread();
}

static void hsl_fabric_thread_end(void *opaque)
{
    rcu_unregister_thread();
}

static void hsl_fabric_complete(UserCreatable *uc, Error **errp)
{
    HslFabric *f = HSL_FABRIC(uc);
    struct hsl_fabric_engine_config cfg = {
        .workers = f->workers,
        .thread_start = hsl_fabric_thread_start,
        .thread_end = hsl_fabric_thread_end,
        .now_ps = f->modelled_time ? hsl_time_now_ps : NULL,
        .due = hsl_time_due,
        .opaque = f,
    };
    g_autofree struct hsl_conf *conf = NULL;
    struct hsl_remote_config remote;
    const char *why;

    if (!hsl_remote_config(f, &remote, errp)) {
        return;
    }
    cfg.remote = f->remote ? &remote : NULL;
    if (hsl_is_file(f->topology)) {
        conf = hsl_conf_read(f->topology, errp);
        if (!conf) {
            return;
        }
    }
    cfg.model.profile = *hsl_profile_find("default");
    if (!hsl_fabric_topology(f, conf, &cfg.model, errp) ||
        (f->profile && !hsl_fabric_profile(f, &cfg.model, errp))) {
        return;
    }
    if (f->workers > 64) {
        error_setg(errp, "workers=%u: at most 64", f->workers);
        return;
    }
    cfg.model.host_node = f->host_node;
    cfg.modelled = f->modelled;
    why = hsl_model_check(&cfg.model);
    if (why) {
        error_setg(errp, "hsl-fabric with topology=%s, nodes=%u, host-node=%u: %s", f->topology, f->nodes,
                   f->host_node, why);
        return;
    }
    if (!f->uuid_set) {
        hsl_fabric_default_uuid(f);
    }
    cfg.fabric_id[0] = ldq_le_p(&f->uuid.data[0]);
    cfg.fabric_id[1] = ldq_le_p(&f->uuid.data[8]);

    hsl_bql_init();
    if (f->modelled_time) {
        hsl_time_init(f);
    }
    f->engine = hsl_fabric_engine_new(&cfg, &why);
    if (!f->engine) {
        error_setg(errp, "hsl-fabric%s%s: %s", f->remote ? " with remote=" : "", f->remote ? f->remote : "", why);
        return;
    }
    f->chips = g_new0(HslChip *, f->nodes + 1);
    if (!hsl_capture_set(f, f->capture, errp) || !hsl_links_apply(f, NULL, f->link_down, errp) ||
        !hsl_inject_set(f, f->inject, errp) || !f->remote) {
        return;
    }
    if (phase_check(PHASE_MACHINE_READY)) {
        hsl_fabric_meet(f, HSL_MEET_LATE_MS, errp);
    } else {
        f->machine_done.notify = hsl_fabric_machine_done;
        qemu_add_machine_init_done_notifier(&f->machine_done);
    }
}

static bool hsl_fabric_can_be_deleted(UserCreatable *uc)
{
    return !HSL_FABRIC(uc)->nchips;
}

static void hsl_fabric_free_job(void *opaque)
{
    hsl_fabric_engine_free(opaque);
}

static void hsl_fabric_init(Object *obj)
{
    HslFabric *f = HSL_FABRIC(obj);

    f->topology = g_strdup("mesh");
    f->link_down = g_strdup("");
    f->capture = g_strdup("");
    f->inject = g_strdup("");
    f->host_node = HSL_NODE_HOST_DEFAULT;
    f->modelled = true;
}

static void hsl_fabric_finalize(Object *obj)
{
    HslFabric *f = HSL_FABRIC(obj);

    assert(!f->nchips);
    if (f->machine_done.notify) {
        qemu_remove_machine_init_done_notifier(&f->machine_done);
    }
    if (f->engine) {
        hsl_fabric_engine_closing(f->engine);
        hsl_fabric_call(f, hsl_fabric_free_job, f->engine);
    }
    if (f->timer) {
        hsl_time_exit(f);
    }
    g_free(f->chips);
    g_free(f->topology);
    g_free(f->profile);
    g_free(f->link_down);
    g_free(f->capture);
    g_free(f->inject);
    g_free(f->remote);
}

/* ---- chips ---- */

bool hsl_fabric_attach(HslFabric *f, HslChip *chip, uint32_t node, Error **errp)
{
    if (!f->engine) {
        error_setg(errp, "the fabric of hsl-chip is not complete");
        return false;
    }
    /* not known yet when the fabric is made */
    if (f->modelled_time && !hsl_time_check(errp)) {
        return false;
    }
    if (!node) {
        error_setg(errp, "hsl-chip needs node=N, 1 to %u in its fabric", f->nodes);
        return false;
    }
    if (node > f->nodes) {
        error_setg(errp, "node=%u: the fabric was built for nodes 1 to %u", node, f->nodes);
        return false;
    }
    if (hsl_fabric_engine_is_remote(f->engine, node)) {
        error_setg(errp, "node=%u: a chip of the other program, with remote=%s", node, f->remote);
        return false;
    }
    if (f->chips[node]) {
        error_setg(errp, "node=%u: another chip of the fabric is this node", node);
        return false;
    }
    f->chips[node] = chip;
    f->nchips++;
    return true;
}

void hsl_fabric_detach(HslFabric *f, uint32_t node)
{
    assert(f->chips[node]);
    f->chips[node] = NULL;
    f->nchips--;
}

HslChip *hsl_fabric_chip(HslFabric *f, uint32_t node)
{
    return node <= f->nodes ? f->chips[node] : NULL;
}

static void hsl_fabric_class_init(ObjectClass *oc, void *data)
{
    UserCreatableClass *ucc = USER_CREATABLE_CLASS(oc);
    static const struct {
        const char *name;
        uintptr_t offset;
        const char *text;
    } u32[] = {
        { "nodes", offsetof(HslFabric, nodes), "chips the topology is built for" },
        { "host-node", offsetof(HslFabric, host_node), "node id of this VM's host port" },
        { "workers", offsetof(HslFabric, workers), "engine threads, 0 = spare cores" },
        { "patience", offsetof(HslFabric, patience), "seconds for which the other program may be silent" },
    };

    ucc->complete = hsl_fabric_complete;
    ucc->can_be_deleted = hsl_fabric_can_be_deleted;

    object_class_property_add_str(oc, "topology", hsl_fabric_get_topology, hsl_fabric_set_topology);
    object_class_property_set_description(oc, "topology", "pair, ring, mesh, switch, or a fabric file");
    object_class_property_add_str(oc, "profile", hsl_fabric_get_profile, hsl_fabric_set_profile);
    object_class_property_set_description(oc, "profile", "link profile: default, gen2, pcie5, or a fabric file");
    object_class_property_add_str(oc, "remote", hsl_fabric_get_remote, hsl_fabric_set_remote);
    object_class_property_set_description(oc, "remote", "link that leaves the fabric: NODE-NODE:listen|connect:PATH");
    object_class_property_add(oc, "open", "size", hsl_fabric_get_open, hsl_fabric_set_open, NULL, NULL);
    object_class_property_set_description(oc, "open", "bytes of each chip that the other program may access");
    object_class_property_add_bool(oc, "modelled", hsl_fabric_get_modelled, hsl_fabric_set_modelled);
    object_class_property_set_description(oc, "modelled", "chips have modelled memory (at most 64 chips)");
    object_class_property_add_str(oc, "time", hsl_fabric_get_time, hsl_fabric_set_time);
    object_class_property_set_description(oc, "time", "wall, or modelled: on the virtual clock, needs -icount");
    object_class_property_add_str(oc, "uuid", hsl_fabric_get_uuid, hsl_fabric_set_uuid);
    object_class_property_set_description(oc, "uuid", "fabric id");
    object_class_property_add_str(oc, "link-down", hsl_fabric_get_link_down, hsl_fabric_set_link_down);
    object_class_property_set_description(oc, "link-down", "links held down, as in \"1-2 2-3\"");
    object_class_property_add_str(oc, "capture", hsl_fabric_get_capture, hsl_fabric_set_capture);
    object_class_property_set_description(oc, "capture", "pcapng file that takes all that links carry");
    object_class_property_add_str(oc, "inject", hsl_fabric_get_inject, hsl_fabric_set_inject);
    object_class_property_set_description(oc, "inject", "errors on purpose, as in \"1-2 ber 1e-6 seed 7\"; the last ones");
    for (size_t i = 0; i < ARRAY_SIZE(u32); i++) {
        object_class_property_add(oc, u32[i].name, "uint32", hsl_fabric_get_u32, hsl_fabric_set_u32, NULL,
                                  (void *)u32[i].offset);
        object_class_property_set_description(oc, u32[i].name, u32[i].text);
    }
}

static const TypeInfo hsl_fabric_info = {
    .name = TYPE_HSL_FABRIC,
    .parent = TYPE_OBJECT,
    .instance_size = sizeof(HslFabric),
    .instance_init = hsl_fabric_init,
    .instance_finalize = hsl_fabric_finalize,
    .class_init = hsl_fabric_class_init,
    .interfaces = (InterfaceInfo[]) {
        { TYPE_USER_CREATABLE },
        { }
    }
};

static void hsl_fabric_register(void)
{
    type_register_static(&hsl_fabric_info);
}
type_init(hsl_fabric_register)
