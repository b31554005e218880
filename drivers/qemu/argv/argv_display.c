/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Graphics, video, input. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/plan/plan.h"

#define VNC_BASE 5900

/* Sound is thrown away unless the document says otherwise; a display has the first backend. */
static uint64_t first_audio(const struct vm_domain *d)
{
	return d->audios.n > 0 ? ((const struct vm_audio *)d->audios.v[0])->id : 1;
}

/* ---- vnc ---- */

struct vnc_place {
	const char *address, *socket;
	bool none;
};

static struct vnc_place vnc_place(const struct vm_vnc *v)
{
	struct vnc_place at = {.address = v->listen, .socket = v->socket};
	const struct vm_listen *l;

	if (v->listens.n == 0)
		return at;
	l = v->listens.v[0];
	switch ((enum vm_listen_kind)l->kind) {
	case VM_LISTEN_SOCKET:
		return (struct vnc_place){.socket = l->socket != NULL ? l->socket : ""};
	case VM_LISTEN_NONE:
		return (struct vnc_place){.none = true};
	case VM_LISTEN_ABSENT:
	case VM_LISTEN_ADDRESS:
	case VM_LISTEN_NETWORK:
		break;
	}
	if (l->address != NULL)
		at.address = l->address;
	return at;
}

static void vnc_address(struct vm_plan *p, struct vm_strbuf *b, const struct vm_vnc *v)
{
	const struct vnc_place at = vnc_place(v);
	VM_AUTO_FREE char *text = NULL;

	if (at.none) {
		vm_kv_word(b, "none");
	} else if (at.socket != NULL) {
		text = at.socket[0] != '\0' ? vm_xasprintf("unix:%s", at.socket)
					    : vm_xasprintf("unix:%s/own/vnc.sock", p->env->run_path);
		vm_kv_str(b, "vnc", text);
	} else {
		const char *host = at.address != NULL ? at.address : "127.0.0.1";
		bool v6 = strchr(host, ':') != NULL;
		long long display = v->port >= VNC_BASE ? (long long)v->port - VNC_BASE : 0;

		text = vm_xasprintf("%s%s%s:%lld", v6 ? "[" : "", host, v6 ? "]" : "", display);
		vm_kv_word(b, text);
	}
}

static void vnc(struct vm_plan *p, const struct vm_vnc *v)
{
	static const char *const shares[] = {[VM_SHARE_ALLOW_EXCLUSIVE] = "allow-exclusive",
					     [VM_SHARE_FORCE_SHARED] = "force-shared",
					     [VM_SHARE_IGNORE] = "ignore"};
	struct vm_strbuf b = VM_STRBUF_INIT;
	char audio[32];

	vnc_address(p, &b, v);
	if (mt_is_set(&v->obj, VM_VNC_BIT_WEBSOCKET)) {
		if (v->websocket < 0)
			vm_kv_on(&b, "websocket", true); /* QEMU's 5700 + display */
		else
			vm_kv_u64(&b, "websocket", (uint64_t)v->websocket);
	}
	vm_kv_str(&b, "share", shares[v->share_policy]);
	/* The password itself goes over the monitor. */
	if (v->passwd != NULL)
		vm_kv_on(&b, "password", true);
	if (v->power_control != VM_SWITCH_ABSENT)
		vm_kv_on(&b, "power-control", v->power_control == VM_SWITCH_ON);
	snprintf(audio, sizeof(audio), "audio%" PRIu64, first_audio(p->d));
	vm_kv_str(&b, "audiodev", audio);
	vm_argv_opt(p->a, "-vnc", b.text);
	if (v->keymap != NULL)
		vm_argv_opt(p->a, "-k", v->keymap);
	vm_strbuf_free(&b);
}

static void audio_backend(struct vm_plan *p, uint64_t id)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	vm_qobj_strf(&o, "id", "audio%" PRIu64, id);
	vm_qobj_str(&o, "driver", "none");
	vm_qobj_emit(&o, p->a, "-audiodev");
}

void vm_plan_graphics(struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->d->audios.n; i++)
		audio_backend(p, ((const struct vm_audio *)p->d->audios.v[i])->id);
	if (p->d->audios.n == 0)
		audio_backend(p, first_audio(p->d));
	for (uint32_t i = 0; i < p->d->graphics.n; i++) {
		const struct vm_graphics *g = p->d->graphics.v[i];

		if (g->kind == VM_GRAPHICS_VNC)
			vnc(p, g->vnc);
	}
}

/* ---- video ---- */

#define KIB	     UINT64_C(1024)
#define MIB_IN_KIB   UINT64_C(1024)
#define VGA_VRAM_KIB (16 * MIB_IN_KIB)
#define QXL_VRAM_KIB (64 * MIB_IN_KIB)

static uint64_t or_default(uint64_t value, uint64_t standard)
{
	return value != 0 ? value : standard;
}

/* QXL's memories are powers of two. */
static uint64_t power_of_two(uint64_t kib)
{
	uint64_t p = 1;

	while (p < kib && p < UINT64_C(1) << 40)
		p <<= 1;
	return p;
}

static void qxl(struct vm_qobj *o, const struct vm_video *v)
{
	uint64_t ram = power_of_two(or_default(v->ram, QXL_VRAM_KIB));
	uint64_t vram = power_of_two(or_default(v->vram, QXL_VRAM_KIB));
	uint64_t vgamem = power_of_two(or_default(v->vgamem, VGA_VRAM_KIB));

	vm_qobj_u64(o, "max_outputs", or_default(v->heads, 1));
	vm_qobj_u64(o, "ram_size", ram * KIB);
	vm_qobj_u64(o, "vram_size", vram * KIB);
	vm_qobj_u64(o, "vram64_size_mb", v->vram64 / MIB_IN_KIB);
	vm_qobj_u64(o, "vgamem_mb", vgamem / MIB_IN_KIB);
}

static const char *video_driver(const struct vm_video *v, bool primary)
{
	switch ((enum vm_video_kind)v->kind) {
	case VM_VIDEO_VGA:
		return "VGA";
	case VM_VIDEO_CIRRUS:
		return "cirrus-vga";
	case VM_VIDEO_VMVGA:
		return "vmware-svga";
	case VM_VIDEO_QXL:
		return primary ? "qxl-vga" : "qxl";
	case VM_VIDEO_VIRTIO:
		if (v->accel3d == VM_SWITCH_ON)
			return primary ? "virtio-vga-gl" : "virtio-gpu-gl-pci";
		return primary ? "virtio-vga" : "virtio-gpu-pci";
	case VM_VIDEO_BOCHS:
		return "bochs-display";
	case VM_VIDEO_RAMFB:
		return "ramfb";
	case VM_VIDEO_ABSENT:
	case VM_VIDEO_XEN:
	case VM_VIDEO_VBOX:
	case VM_VIDEO_PARALLELS:
	case VM_VIDEO_GOP:
	case VM_VIDEO_NONE:
		break;
	}
	return NULL;
}

static void video(struct vm_plan *p, const struct vm_video *v, bool primary)
{
	VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_VIDEO, &v->dev);
	const char *driver = video_driver(v, primary);
	struct vm_qobj o = VM_QOBJ_INIT;

	if (driver == NULL)
		return;
	vm_qobj_str(&o, "driver", driver);
	if (v->kind == VM_VIDEO_VIRTIO)
		vm_plan_virtio(&o, &v->virtio);
	vm_qobj_str(&o, "id", alias);
	if (v->kind == VM_VIDEO_QXL) {
		qxl(&o, v);
	} else if (v->kind == VM_VIDEO_VIRTIO) {
		vm_qobj_u64(&o, "max_outputs", or_default(v->heads, 1));
	} else if (v->kind == VM_VIDEO_VGA || v->kind == VM_VIDEO_VMVGA) {
		vm_qobj_u64(&o, "vgamem_mb", or_default(v->vram, VGA_VRAM_KIB) / MIB_IN_KIB);
	} else if (v->kind == VM_VIDEO_BOCHS) {
		vm_qobj_u64(&o, "vgamem", or_default(v->vram, VGA_VRAM_KIB) * KIB);
	}
	if (v->x != 0 && v->y != 0) {
		vm_qobj_u64(&o, "xres", v->x);
		vm_qobj_u64(&o, "yres", v->y);
	}
	vm_plan_address(p, &o, &v->dev);
	vm_qobj_emit(&o, p->a, "-device");
}

void vm_plan_videos(struct vm_plan *p)
{
	VM_AUTO_FREE struct vm_video **videos = vm_videos_of(p->d);

	for (size_t i = 0; videos[i] != NULL; i++)
		video(p, videos[i], i == 0);
}

/* ---- input ---- */

static void input(struct vm_plan *p, const struct vm_input *in)
{
	static const struct {
		const char *usb, *virtio;
	} drivers[] = {[VM_INPUT_MOUSE] = {"usb-mouse", "virtio-mouse"},
		       [VM_INPUT_TABLET] = {"usb-tablet", "virtio-tablet"},
		       [VM_INPUT_KEYBOARD] = {"usb-kbd", "virtio-keyboard"}};
	VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_INPUT, &in->dev);
	struct vm_qobj o = VM_QOBJ_INIT;

	if ((size_t)in->kind >= VM_COUNT(drivers) ||
	    (in->bus != VM_INPUT_BUS_USB && in->bus != VM_INPUT_BUS_VIRTIO))
		return; /* PS/2: the machine's own */
	if (in->bus == VM_INPUT_BUS_USB) {
		vm_qobj_str(&o, "driver", drivers[in->kind].usb);
	} else {
		vm_plan_virtio_driver(&o, drivers[in->kind].virtio, in->model);
		vm_plan_virtio(&o, &in->virtio);
	}
	vm_qobj_str(&o, "id", alias);
	vm_plan_address(p, &o, &in->dev);
	vm_qobj_emit(&o, p->a, "-device");
}

void vm_plan_inputs(struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->d->inputs.n; i++)
		input(p, p->d->inputs.v[i]);
}
