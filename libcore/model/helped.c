/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: libvirt 9.0, formatdomain "TPM device" and "Filesystems". */
#include "helped.h"

#include <string.h>

#include "disk.h"
#include "domain.h"
#include "rows.h"

#define TAG_MAX 36u /* Source: virtio 1.2, 5.11.4: length of a file system's tag */

/* ---- tpm ---- */

const char *const vm_tpm_model_words[] = {
	"", "tpm-tis", "tpm-crb", "!tpm-spapr", "!spapr-tpm-proxy", NULL,
};
const char *const vm_tpm_backend_words[] = { "", "!passthrough", "emulator", "external", NULL };
const char *const vm_tpm_version_words[] = { "", "1.2", "2.0", NULL };
static const char *const persistent_words[] = { "", "!yes", "no", NULL };
static const char *const tpm_source_words[] = { "", "unix", NULL };
static const char *const tpm_mode_words[] = { "", "connect", "!bind", NULL };

#define T(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_tpm, xml, member, VM_TPM_BIT_##bit, kind, __VA_ARGS__)
static const struct mt_row tpm_rows[] = {
	T("@model", model, MODEL, MT_ENUM, .flags = MT_ASSIGNED, .arg = vm_tpm_model_words),
	T("backend/@type", backend, BACKEND, MT_ENUM, .flags = MT_REQUIRED | MT_KEY,
	  .arg = vm_tpm_backend_words),
	T("backend/@version", version, VERSION, MT_ENUM, .flags = MT_ASSIGNED,
	  .arg = vm_tpm_version_words),
	T("backend/@persistent_state", persistent, PERSISTENT, MT_ENUM, .arg = persistent_words),
	T("backend/source/@type", source_type, SOURCE_TYPE, MT_ENUM, .arg = tpm_source_words),
	T("backend/source/@mode", source_mode, SOURCE_MODE, MT_ENUM, .arg = tpm_mode_words),
	T("backend/source/@path", path, PATH, MT_PATH),
	MT_ROW(struct vm_tpm, "alias/@name", dev.alias, VM_DEVICE_ALIAS, MT_STR),
};

static int check_tpm(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const uint64_t emulator = VM_ONE(VM_TPM_EMULATOR), external = VM_ONE(VM_TPM_EXTERNAL);
	const struct vm_only table[] = {
		{ VM_TPM_BIT_VERSION, "backend/@version", emulator, "type='emulator'" },
		{ VM_TPM_BIT_PERSISTENT, "backend/@persistent_state", emulator, "type='emulator'" },
		{ VM_TPM_BIT_SOURCE_TYPE, "backend/source/@type", external, "type='external'" },
		{ VM_TPM_BIT_SOURCE_MODE, "backend/source/@mode", external, "type='external'" },
		{ VM_TPM_BIT_PATH, "backend/source/@path", external, "type='external'" },
	};
	const struct vm_tpm *t = obj;

	if (vm_check_only(ctx, &t->dev.obj, table, VM_COUNT(table), t->backend, err) < 0)
		return -1;
	if (t->backend == VM_TPM_EXTERNAL && (t->path == NULL || t->source_type == 0))
		return mt_error(ctx, t, NULL, VM_BAD_INPUT, err,
				"an external TPM needs <source type='unix' mode='connect' path='...'/>");
	if (t->model == VM_TPM_CRB && t->version == VM_TPM_1_2)
		return mt_error(ctx, t, "backend/@version", VM_BAD_INPUT, err,
				"a tpm-crb is of version 2.0");
	return 0;
}
const struct mt_type vm_tpm_type = {
	.elem = "tpm",
	.size = sizeof(struct vm_tpm),
	.rows = tpm_rows,
	.n = VM_COUNT(tpm_rows),
	.check = check_tpm,
};

/* ---- filesystem ---- */

const char *const vm_filesystem_kind_words[] = {
	"", "mount", "!template", "!file", "!block", "!ram", "!bind", "!volume", NULL,
};
const char *const vm_filesystem_driver_words[] = {
	"", "!path", "!handle", "!loop", "!nbd", "!ploop", "virtiofs", NULL,
};
const char *const vm_filesystem_cache_words[] = { "", "none", "always", NULL };
const char *const vm_filesystem_sandbox_words[] = { "", "namespace", "chroot", NULL };
static const char *const access_words[] = { "", "passthrough", "!mapped", "!squash", NULL };
static const char *const model_words[] = {
	"", "virtio", "!virtio-transitional", "!virtio-non-transitional", NULL,
};
static const struct mt_range queue_range = { .min = 1, .max = 1024 };
static const struct mt_range thread_range = { .min = 1, .max = 1024 };

#define F(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_filesystem, xml, member, VM_FILESYSTEM_BIT_##bit, kind, __VA_ARGS__)
#define F_WORD(xml, member, bit, list) F(xml, member, bit, MT_ENUM, .arg = list)
static const struct mt_row filesystem_rows[] = {
	F_WORD("@type", kind, KIND, vm_filesystem_kind_words),
	F_WORD("@accessmode", access, ACCESS, access_words),
	F_WORD("@model", model, MODEL, model_words),
	F("driver/@type", driver, DRIVER, MT_ENUM, .arg = vm_filesystem_driver_words),
	F("driver/@queue", queue_size, QUEUE_SIZE, MT_U64, .arg = &queue_range),
	VM_VIRTIO_ROWS(struct vm_filesystem),
	F("binary/@path", binary, BINARY, MT_PATH),
	F_WORD("binary/@xattr", xattr, XATTR, vm_on_off_words),
	F_WORD("binary/cache/@mode", cache, CACHE, vm_filesystem_cache_words),
	F_WORD("binary/sandbox/@mode", sandbox, SANDBOX, vm_filesystem_sandbox_words),
	F_WORD("binary/lock/@posix", posix_lock, POSIX_LOCK, vm_on_off_words),
	F_WORD("binary/lock/@flock", flock, FLOCK, vm_on_off_words),
	F("binary/thread_pool/@size", threads, THREADS, MT_U64, .arg = &thread_range),
	F("source/@dir", dir, DIR, MT_PATH),
	F("source/@socket", socket, SOCKET, MT_PATH),
	F("target/@dir", tag, TAG, MT_STR, .flags = MT_REQUIRED | MT_KEY),
	F("readonly", readonly, READONLY, MT_BOOL, .flags = MT_PRESENT),
	VM_DEVICE_BOOT_ROWS(struct vm_filesystem),
	VM_DEVICE_ROWS(struct vm_filesystem),
};

/* What is said to a program that somebody else runs would be said to nobody. */
static int check_socket(const struct vm_filesystem *f, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct {
		uint8_t bit;
		const char *xml;
	} ours[] = {
		{ VM_FILESYSTEM_BIT_DIR, "source/@dir" },
		{ VM_FILESYSTEM_BIT_BINARY, "binary/@path" },
		{ VM_FILESYSTEM_BIT_XATTR, "binary/@xattr" },
		{ VM_FILESYSTEM_BIT_CACHE, "binary/cache/@mode" },
		{ VM_FILESYSTEM_BIT_SANDBOX, "binary/sandbox/@mode" },
		{ VM_FILESYSTEM_BIT_POSIX_LOCK, "binary/lock/@posix" },
		{ VM_FILESYSTEM_BIT_FLOCK, "binary/lock/@flock" },
		{ VM_FILESYSTEM_BIT_THREADS, "binary/thread_pool/@size" },
	};

	for (size_t i = 0; i < VM_COUNT(ours); i++)
		if (mt_is_set(&f->dev.obj, ours[i].bit))
			return mt_error(ctx, f, ours[i].xml, VM_BAD_INPUT, err,
					"a <source socket='...'/> leads to a program that has its own settings");
	return 0;
}

static int check_filesystem(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_filesystem *f = obj;

	if (f->driver != VM_FILESYSTEM_VIRTIOFS)
		return mt_error(ctx, f, NULL, VM_UNSUPPORTED, err,
				"a <filesystem> without <driver type='virtiofs'/> is not supported yet");
	if (f->readonly)
		return mt_error(ctx, f, "readonly", VM_UNSUPPORTED, err,
				"virtiofs has no read-only mode: mount it read-only in the guest");
	if (f->dir == NULL && f->socket == NULL)
		return mt_error(ctx, f, NULL, VM_BAD_INPUT, err,
				"a filesystem needs <source dir='...'/> or <source socket='...'/>");
	if (*f->tag == 0 || strlen(f->tag) > TAG_MAX)
		return mt_error(ctx, f, "target/@dir", VM_BAD_INPUT, err,
				"a tag has 1 to %u bytes", TAG_MAX);
	if ((f->queue_size & (f->queue_size - 1)) != 0)
		return mt_error(ctx, f, "driver/@queue", VM_BAD_INPUT, err,
				"the size of a queue is a power of two");
	return f->socket != NULL ? check_socket(f, ctx, err) : 0;
}
const struct mt_type vm_filesystem_type = {
	.elem = "filesystem",
	.size = sizeof(struct vm_filesystem),
	.rows = filesystem_rows,
	.n = VM_COUNT(filesystem_rows),
	.check = check_filesystem,
};

/* ---- across the domain ---- */

static bool memory_is_shared(const struct vm_domain *d)
{
	const struct vm_memory_backing *b = d->memory_backing;
	const struct mt_list *cells = vm_domain_cells(d);
	bool all = b != NULL && b->access == VM_MEMORY_SHARED;

	for (uint32_t i = 0; cells != NULL && i < cells->n; i++) {
		const struct vm_numa_cell *cell = cells->v[i];

		if (cell->access == VM_MEMORY_PRIVATE || (cell->access == VM_MEMORY_ACCESS_ABSENT && !all))
			return false;
	}
	return cells != NULL || all;
}

int vm_domain_check_helped(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (d->tpms.n > 1)
		return mt_error(ctx, d->tpms.v[1], NULL, VM_BAD_INPUT, err, "a guest has one TPM");
	if (d->filesystems.n > 0 && !memory_is_shared(d))
		return mt_error(ctx, d->filesystems.v[0], NULL, VM_BAD_INPUT, err,
				"virtiofs needs memory that it can share: <memoryBacking> with "
				"<source type='memfd'/> and <access mode='shared'/>");
	for (uint32_t i = 0; i < d->filesystems.n; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct vm_filesystem *a = d->filesystems.v[i], *b = d->filesystems.v[j];

			if (strcmp(a->tag, b->tag) == 0)
				return mt_error(ctx, a, "target/@dir", VM_BAD_INPUT, err,
						"another filesystem has the tag '%s'", a->tag);
		}
	return 0;
}
