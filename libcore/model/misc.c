// SPDX-License-Identifier: LGPL-2.1-or-later
#include "misc.h"

#include "disk.h"
#include "rows.h"

#define WORD(type, xml, member, bit, list) MT_ROW(type, xml, member, bit, MT_ENUM, .arg = list)

/* ---- input ---- */

const char *const vm_input_kind_words[] = {
    "", "mouse", "tablet", "keyboard", "!passthrough", "!evdev", NULL,
};
const char *const vm_input_bus_words[] = {
    "", "ps2", "usb", "!xen", "!parallels", "virtio", "!none", NULL,
};
static const struct mt_row input_rows[] = {
    MT_ROW(struct vm_input, "@type", kind, VM_INPUT_BIT_KIND, MT_ENUM,
	   .flags = MT_REQUIRED | MT_KEY, .arg = vm_input_kind_words),
    MT_ROW(struct vm_input, "@bus", bus, VM_INPUT_BIT_BUS, MT_ENUM, .flags = MT_KEY | MT_ASSIGNED,
	   .arg = vm_input_bus_words),
    WORD(struct vm_input, "@model", model, VM_INPUT_BIT_MODEL, vm_virtio_model_words),
    VM_VIRTIO_ROWS(struct vm_input),
    VM_DEVICE_ROWS(struct vm_input),
};

static int check_input(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_input *i = obj;

	if (i->kind == VM_INPUT_TABLET && i->bus == VM_INPUT_BUS_PS2)
		return mt_error(ctx, i, "@bus", VM_BAD_INPUT, err,
				"a tablet cannot be on bus 'ps2'");
	if (i->bus == VM_INPUT_BUS_VIRTIO && i->model > VM_VIRTIO_MODEL_VIRTIO)
		return mt_error(ctx, i, "@model", VM_BAD_INPUT, err,
				"a %s has no transitional models",
				vm_word(vm_input_kind_words, i->kind));
	if (i->bus == VM_INPUT_BUS_VIRTIO)
		return 0;
	if (i->model)
		return mt_error(ctx, i, "@model", VM_BAD_INPUT, err,
				"attribute model is only for bus='virtio'");
	return vm_check_no_virtio(ctx, &i->dev.obj, err);
}
const struct mt_type vm_input_type = {
    .elem = "input",
    .size = sizeof(struct vm_input),
    .rows = input_rows,
    .n = VM_COUNT(input_rows),
    .check = check_input,
};

/* ---- rng ---- */

const char *const vm_rng_backend_words[] = {"", "random", "!egd", "builtin", NULL};
static const struct mt_row rng_rows[] = {
    MT_ROW(struct vm_rng, "@model", model, VM_RNG_BIT_MODEL, MT_ENUM, .flags = MT_REQUIRED,
	   .arg = vm_virtio_model_words),
    VM_VIRTIO_ROWS(struct vm_rng),
    MT_ROW(struct vm_rng, "rate/@bytes", rate_bytes, VM_RNG_BIT_RATE_BYTES, MT_U64,
	   .arg = &vm_positive_range),
    MT_ROW(struct vm_rng, "rate/@period", rate_period_ms, VM_RNG_BIT_RATE_PERIOD, MT_U64,
	   .arg = &vm_positive_range),
    MT_ROW(struct vm_rng, "backend/@model", backend, VM_RNG_BIT_BACKEND, MT_ENUM,
	   .flags = MT_REQUIRED, .arg = vm_rng_backend_words),
    MT_ROW(struct vm_rng, "backend/#text", path, VM_RNG_BIT_PATH, MT_PATH),
    VM_DEVICE_ROWS(struct vm_rng),
};

static int check_rng(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_rng *r = obj;

	if (r->path && r->backend != VM_RNG_RANDOM)
		return mt_error(ctx, r, "backend/#text", VM_BAD_INPUT, err,
				"a device is named only with backend model='random'");
	if (r->rate_period_ms && !r->rate_bytes)
		return mt_error(ctx, r, "rate/@period", VM_BAD_INPUT, err, "<rate> needs bytes");
	return 0;
}
const struct mt_type vm_rng_type = {
    .elem = "rng",
    .size = sizeof(struct vm_rng),
    .rows = rng_rows,
    .n = VM_COUNT(rng_rows),
    .check = check_rng,
};

/* ---- memballoon ---- */

const char *const vm_memballoon_model_words[] = {
    "", "virtio", "virtio-transitional", "virtio-non-transitional", "none", "!xen", NULL,
};
static const struct mt_row memballoon_rows[] = {
    MT_ROW(struct vm_memballoon, "@model", model, VM_MEMBALLOON_BIT_MODEL, MT_ENUM,
	   .flags = MT_REQUIRED, .arg = vm_memballoon_model_words),
    WORD(struct vm_memballoon, "@autodeflate", autodeflate, VM_MEMBALLOON_BIT_AUTODEFLATE,
	 vm_on_off_words),
    WORD(struct vm_memballoon, "@freePageReporting", free_page_reporting,
	 VM_MEMBALLOON_BIT_FREE_PAGE_REPORTING, vm_on_off_words),
    MT_ROW(struct vm_memballoon, "stats/@period", stats_period_s, VM_MEMBALLOON_BIT_STATS_PERIOD,
	   MT_U64, .flags = MT_HOT, .arg = &vm_int_range),
    VM_VIRTIO_ROWS(struct vm_memballoon),
    VM_DEVICE_ROWS(struct vm_memballoon),
};

static int check_memballoon(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_memballoon *m = obj;

	if (m->model == VM_MEMBALLOON_NONE && m->dev.address)
		return mt_error(ctx, m, "address", VM_BAD_INPUT, err,
				"a memballoon with model='none' has no address");
	return 0;
}
const struct mt_type vm_memballoon_type = {
    .elem = "memballoon",
    .size = sizeof(struct vm_memballoon),
    .rows = memballoon_rows,
    .n = VM_COUNT(memballoon_rows),
    .check = check_memballoon,
};

/* ---- watchdog ---- */

const char *const vm_watchdog_model_words[] = {
    "", "i6300esb", "ib700", "!diag288", "itco", NULL,
};
const char *const vm_watchdog_action_words[] = {
    "", "reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi", NULL,
};
static const struct mt_row watchdog_rows[] = {
    MT_ROW(struct vm_watchdog, "@model", model, VM_WATCHDOG_BIT_MODEL, MT_ENUM,
	   .flags = MT_REQUIRED | MT_KEY, .arg = vm_watchdog_model_words),
    WORD(struct vm_watchdog, "@action", action, VM_WATCHDOG_BIT_ACTION, vm_watchdog_action_words),
    VM_DEVICE_ROWS(struct vm_watchdog),
};
const struct mt_type vm_watchdog_type = {
    .elem = "watchdog",
    .size = sizeof(struct vm_watchdog),
    .rows = watchdog_rows,
    .n = VM_COUNT(watchdog_rows),
};

/* ---- panic ---- */

const char *const vm_panic_model_words[] = {
    "", "!pseries", "isa", "hyperv", "!s390", "pvpanic", NULL,
};
static const struct mt_row panic_rows[] = {
    MT_ROW(struct vm_panic, "@model", model, VM_PANIC_BIT_MODEL, MT_ENUM,
	   .flags = MT_KEY | MT_ASSIGNED, .arg = vm_panic_model_words),
    VM_DEVICE_ROWS(struct vm_panic),
};

static int check_panic(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_panic *p = obj;

	if (p->model == VM_PANIC_HYPERV && p->dev.address)
		return mt_error(ctx, p, "address", VM_BAD_INPUT, err,
				"a panic device with model='hyperv' has no address");
	return 0;
}
const struct mt_type vm_panic_type = {
    .elem = "panic",
    .size = sizeof(struct vm_panic),
    .rows = panic_rows,
    .n = VM_COUNT(panic_rows),
    .check = check_panic,
};

/* ---- audio ---- */

const char *const vm_audio_kind_words[] = {
    "", "none", "!alsa", "!coreaudio", "!jack", "!oss", "!pulseaudio", "!sdl", "!spice", "!file",
    "!dbus", NULL,
};
static const struct mt_range audio_id_range = {.min = 1, .max = UINT32_MAX};
static const struct mt_row audio_rows[] = {
    MT_ROW(struct vm_audio, "@id", id, VM_AUDIO_BIT_ID, MT_U64, .flags = MT_REQUIRED | MT_KEY,
	   .arg = &audio_id_range),
    MT_ROW(struct vm_audio, "@type", kind, VM_AUDIO_BIT_KIND, MT_ENUM, .flags = MT_REQUIRED,
	   .arg = vm_audio_kind_words),
    MT_ROW(struct vm_audio, "alias/@name", dev.alias, VM_DEVICE_ALIAS, MT_STR),
};
const struct mt_type vm_audio_type = {
    .elem = "audio",
    .size = sizeof(struct vm_audio),
    .rows = audio_rows,
    .n = VM_COUNT(audio_rows),
};
