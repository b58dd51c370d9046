// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The compliance test facility: the mailbox of hsl/ctf.h over a backend's access to its page. The backend keeps others out and
 * ends test mode at the close.
 *
 * A reset of the chip ends test mode behind our back, and registers read as zero then, which STATUS would show as success. So
 * KEY is read last: if it still says test mode nothing of what was read before was that zero. FATAL is the command that asks
 * for it: the driver takes the chip away when it hears of it.
 */
#include <stdlib.h>

#include "hsl/ctf.h"
#include "priv.h"

static int read32(struct hsl_ctf *c, uint32_t reg, uint32_t *v)
{
	return c->fabric->ops->ctf_read(c, reg, v, sizeof(*v));
}

static int write32(struct hsl_ctf *c, uint32_t reg, uint32_t v)
{
	return c->fabric->ops->ctf_write(c, reg, &v, sizeof(v));
}

static int read64(struct hsl_ctf *c, uint32_t reg, uint64_t *v)
{
	return c->fabric->ops->ctf_read(c, reg, v, sizeof(*v));
}

static int write64(struct hsl_ctf *c, uint32_t reg, uint64_t v)
{
	return c->fabric->ops->ctf_write(c, reg, &v, sizeof(v));
}

static int check_test_mode(struct hsl_ctf *c)
{
	uint32_t key = 0;
	int err = read32(c, HSL_CTF_KEY, &key);

	return err ? err : key == 1 ? 0 : -ESHUTDOWN;
}

static int enter_test_mode(struct hsl_ctf *c)
{
	uint32_t id = 0;
	int err;

	err = read32(c, HSL_CTF_ID, &id);
	if (!err && id != HSL_CTF_ID_VALUE)
		err = -EOPNOTSUPP;
	if (!err)
		err = read32(c, HSL_CTF_CAP, &c->commands);
	if (!err)
		err = write32(c, HSL_CTF_KEY, HSL_CTF_UNLOCK);
	return err ? err : check_test_mode(c);
}

int hsl_ctf_open(struct hsl_fabric *f, uint32_t node, struct hsl_ctf **out)
{
	struct hsl_chip_info info = { .size = sizeof(info), .node = node };
	struct hsl_ctf *c;
	int err;

	if (!f || !out)
		return -EINVAL;
	err = f->ops->chip_info(f, &info);
	if (err)
		return err;
	if (!(info.cap & HSL_CAP_CTF))
		return -EOPNOTSUPP;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fabric = f;
	c->node = node;
	c->fd = -1;
	err = f->ops->ctf_open(f, c);
	if (err)
		goto free_ctf;
	err = enter_test_mode(c);
	if (err)
		goto close;
	pthread_mutex_lock(&f->lock);
	c->next = f->ctfs;
	if (c->next)
		c->next->prev = c;
	f->ctfs = c;
	pthread_mutex_unlock(&f->lock);
	*out = c;
	return 0;

close:
	f->ops->ctf_close(c);
free_ctf:
	free(c);
	return err;
}

void hsl_ctf_close(struct hsl_ctf *c)
{
	struct hsl_fabric *f;

	if (!c)
		return;
	f = c->fabric;
	pthread_mutex_lock(&f->lock);
	if (c->prev)
		c->prev->next = c->next;
	else
		f->ctfs = c->next;
	if (c->next)
		c->next->prev = c->prev;
	pthread_mutex_unlock(&f->lock);
	f->ops->ctf_close(c);
	free(c);
}

void hslp_ctf_free_all(struct hsl_fabric *f)
{
	while (f->ctfs)
		hsl_ctf_close(f->ctfs);
}

uint32_t hsl_ctf_commands(const struct hsl_ctf *c)
{
	return c ? c->commands : 0;
}

static int give_command(struct hsl_ctf *c, unsigned int link, unsigned int cmd, const uint64_t arg[3])
{
	int err = write32(c, HSL_CTF_LINK, link);

	for (uint32_t i = 0; !err && i < 3; i++)
		err = write64(c, HSL_CTF_ARG0 + 8 * i, arg ? arg[i] : 0);
	return err ? err : write32(c, HSL_CTF_CMD, cmd);
}

int hsl_ctf_command(struct hsl_ctf *c, unsigned int link, unsigned int cmd, const uint64_t arg[3], uint64_t result[2])
{
	uint64_t got[2] = { 0 };
	uint32_t status = 0;
	bool given;
	int err;

	if (!c)
		return -EINVAL;
	/* a chip that has left test mode ignores the command: for this one that would look like success */
	err = cmd == HSL_CTF_CMD_FATAL ? check_test_mode(c) : 0;
	if (!err)
		err = give_command(c, link, cmd, arg);
	given = !err && c->commands >> cmd % 32 & 1;
	if (!err)
		err = read32(c, HSL_CTF_STATUS, &status);
	for (uint32_t i = 0; !err && result && i < 2; i++)
		err = read64(c, HSL_CTF_RESULT0 + 8 * i, &got[i]);
	if (!err)
		err = check_test_mode(c);
	if (cmd == HSL_CTF_CMD_FATAL && given && (err == -ESHUTDOWN || err == -ENODEV))
		return 0;
	if (!err)
		err = hsl_status_errno(status);
	if (err)
		return err;
	if (result) {
		result[0] = got[0];
		result[1] = got[1];
	}
	return 0;
}

int hsl_ctf_flit(struct hsl_ctf *c, const void *flit)
{
	int err;

	if (!c || !flit)
		return -EINVAL;
	err = c->fabric->ops->ctf_write(c, HSL_CTF_FLIT, flit, HSL_FLIT_BYTES);
	return err ? err : check_test_mode(c);
}

int hsl_ctf_record(struct hsl_ctf *c, void *record)
{
	int err;

	if (!c || !record)
		return -EINVAL;
	err = c->fabric->ops->ctf_read(c, HSL_CTF_RECORD, record, HSL_CTF_RECORD_BYTES);
	return err ? err : check_test_mode(c);
}
