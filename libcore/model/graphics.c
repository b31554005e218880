// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graphics.h"

#include <string.h>
#include <time.h>

#include "rows.h"

const char *const vm_graphics_kind_words[] = {
    "", "vnc", "!spice", "!sdl", "!rdp", "!desktop", "!egl-headless", "!dbus", NULL,
};
const char *const vm_listen_kind_words[] = {"", "address", "!network", "socket", "none", NULL};
const char *const vm_share_policy_words[] = {
    "", "allow-exclusive", "force-shared", "ignore", NULL,
};
static const char *const connected_words[] = {"", "fail", "disconnect", "keep", NULL};

enum { LISTEN_KIND, LISTEN_ADDRESS, LISTEN_SOCKET };
#define L(xml, member, bit, kind, ...) MT_ROW(struct vm_listen, xml, member, bit, kind, __VA_ARGS__)
static const struct mt_row listen_rows[] = {
    L("@type", kind, LISTEN_KIND, MT_ENUM, .flags = MT_REQUIRED, .arg = vm_listen_kind_words),
    L("@address", address, LISTEN_ADDRESS, MT_STR),
    L("@socket", socket, LISTEN_SOCKET, MT_PATH),
};

static int check_listen(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct vm_only table[] = {
	    {LISTEN_ADDRESS, "@address", VM_ONE(VM_LISTEN_ADDRESS), "type='address'"},
	    {LISTEN_SOCKET, "@socket", VM_ONE(VM_LISTEN_SOCKET), "type='socket'"},
	};
	const struct vm_listen *l = obj;

	return vm_check_only(ctx, &l->obj, table, VM_COUNT(table), l->kind, err);
}
static const struct mt_type listen_type = {
    .elem = "listen",
    .size = sizeof(struct vm_listen),
    .rows = listen_rows,
    .n = VM_COUNT(listen_rows),
    .check = check_listen,
};

#define V(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_vnc, xml, member, VM_VNC_BIT_##bit, kind, __VA_ARGS__)
static const struct mt_range port_range = {.min = (uint64_t)-1, .max = 65535};
static const struct mt_row vnc_rows[] = {
    V("@port", port, PORT, MT_I64, .arg = &port_range),
    V("@autoport", autoport, AUTOPORT, MT_ENUM, .arg = vm_yes_no_words),
    V("@websocket", websocket, WEBSOCKET, MT_I64, .arg = &port_range),
    V("@socket", socket, SOCKET, MT_PATH),
    V("@listen", listen, LISTEN, MT_STR),
    V("@keymap", keymap, KEYMAP, MT_STR),
    V("@sharePolicy", share_policy, SHARE_POLICY, MT_ENUM, .arg = vm_share_policy_words),
    V("@powerControl", power_control, POWER_CONTROL, MT_ENUM, .arg = vm_yes_no_words),
    V("@passwd", passwd, PASSWD, MT_STR, .flags = MT_SECRET),
    V("@passwdValidTo", passwd_valid_to, PASSWD_VALID_TO, MT_STR, .flags = MT_SECRET),
    V("@connected", connected, CONNECTED, MT_ENUM, .arg = connected_words),
    V("listen", listens, LISTENS, MT_MANY, .arg = &listen_type),
};

/* "2030-04-09T15:51:00", in UTC. */
static bool parse_time(const char *text, uint64_t *ret_s)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t t = end && !*end ? timegm(&tm) : -1;

	if (t < 0)
		return false;
	*ret_s = (uint64_t)t;
	return true;
}

bool vm_vnc_valid_to(const struct vm_vnc *v, uint64_t *ret_s)
{
	return v->passwd_valid_to && parse_time(v->passwd_valid_to, ret_s);
}

static int check_vnc(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_vnc *v = obj;
	const struct vm_listen *first = v->listens.n ? v->listens.v[0] : NULL;
	uint64_t until;

	if (mt_is_set(&v->obj, VM_VNC_BIT_PORT) && v->port > 0 && v->port < 5900)
		return mt_error(ctx, v, "@port", VM_BAD_INPUT, err,
				"VNC port %lld is not in 5900-65535", (long long)v->port);
	if (v->passwd && strlen(v->passwd) > 8)
		return mt_error(ctx, v, "@passwd", VM_BAD_INPUT, err,
				"a VNC password has at most 8 characters");
	if (v->passwd_valid_to && (!v->passwd || !vm_vnc_valid_to(v, &until)))
		return mt_error(ctx, v, "@passwdValidTo", VM_BAD_INPUT, err,
				"passwdValidTo needs a passwd, and a time such as "
				"2030-04-09T15:51:00");
	/* Source: set_password of qapi/ui.json: VNC knows no other. */
	if (v->connected == 1 || v->connected == 2)
		return mt_error(ctx, v, "@connected", VM_UNSUPPORTED, err,
				"VNC supports connected='keep' only");
	if (v->keymap && !vm_text_only(v->keymap, "-_"))
		return mt_error(ctx, v, "@keymap", VM_BAD_INPUT, err, "'%s' is no keymap",
				v->keymap);
	if (v->listens.n > 1)
		return mt_error(ctx, v->listens.v[1], NULL, VM_BAD_INPUT, err,
				"VNC listens in one place only");
	if (v->listen && first && first->kind == VM_LISTEN_ADDRESS && first->address &&
	    strcmp(v->listen, first->address) != 0)
		return mt_error(ctx, v, "@listen", VM_BAD_INPUT, err,
				"listen='%s' and <listen address='%s'/> differ", v->listen,
				first->address);
	if (v->socket && first && first->socket && strcmp(v->socket, first->socket) != 0)
		return mt_error(ctx, v, "@socket", VM_BAD_INPUT, err,
				"socket='%s' and <listen socket='%s'/> differ", v->socket,
				first->socket);
	return 0;
}
static const struct mt_type vnc_type = {
    .elem = "graphics",
    .size = sizeof(struct vm_vnc),
    .rows = vnc_rows,
    .n = VM_COUNT(vnc_rows),
    .check = check_vnc,
};
static const struct mt_type *const graphics_by_kind[VM_GRAPHICS_KINDS] = {
    [VM_GRAPHICS_VNC] = &vnc_type,
};
static const struct mt_cases graphics_cases = {
    .tag = "type",
    .tag_off = offsetof(struct vm_graphics, kind),
    .n = VM_GRAPHICS_KINDS,
    .by = graphics_by_kind,
};

enum { GRAPHICS_KIND, GRAPHICS_VNC };
static const struct mt_row graphics_rows[] = {
    MT_ROW(struct vm_graphics, "@type", kind, GRAPHICS_KIND, MT_ENUM, .flags = MT_REQUIRED | MT_KEY,
	   .arg = vm_graphics_kind_words),
    MT_ROW(struct vm_graphics, ".", vnc, GRAPHICS_VNC, MT_CASE, .arg = &graphics_cases),
    MT_ROW(struct vm_graphics, "alias/@name", dev.alias, VM_DEVICE_ALIAS, MT_STR),
};
const struct mt_type vm_graphics_type = {
    .elem = "graphics",
    .size = sizeof(struct vm_graphics),
    .rows = graphics_rows,
    .n = VM_COUNT(graphics_rows),
};

/* ---- video ---- */

const char *const vm_video_kind_words[] = {
    "",		  "vga",    "cirrus", "vmvga", "!xen",	"!vbox", "qxl",
    "!parallels", "virtio", "!gop",   "none",  "bochs", "ramfb", NULL,
};
const char *const vm_vgaconf_words[] = {"", "io", "on", "off", NULL};
static const char *const video_driver_words[] = {"", "qemu", "!vhostuser", NULL};

#define W(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_video, xml, member, VM_VIDEO_BIT_##bit, kind, __VA_ARGS__)
#define W_NUMBER(xml, member, bit) W(xml, member, bit, MT_U64, .arg = &vm_u32_range)
static const struct mt_row video_rows[] = {
    W("driver/@name", driver, DRIVER, MT_ENUM, .arg = video_driver_words),
    W("driver/@vgaconf", vgaconf, VGACONF, MT_ENUM, .arg = vm_vgaconf_words),
    VM_VIRTIO_ROWS(struct vm_video),
    W("model/@type", kind, KIND, MT_ENUM, .flags = MT_KEY | MT_ASSIGNED,
      .arg = vm_video_kind_words),
    W_NUMBER("model/@ram", ram, RAM),
    W_NUMBER("model/@vram", vram, VRAM),
    W_NUMBER("model/@vram64", vram64, VRAM64),
    W_NUMBER("model/@vgamem", vgamem, VGAMEM),
    W("model/@heads", heads, HEADS, MT_U64, .arg = &vm_positive_range),
    W("model/@primary", primary, PRIMARY, MT_ENUM, .arg = vm_yes_no_words),
    W("model/acceleration/@accel3d", accel3d, ACCEL3D, MT_ENUM, .arg = vm_yes_no_words),
    W("model/acceleration/@accel2d", accel2d, ACCEL2D, MT_ENUM, .arg = vm_yes_no_words),
    W("model/resolution/@x", x, X, MT_U64, .arg = &vm_positive_range),
    W("model/resolution/@y", y, Y, MT_U64, .arg = &vm_positive_range),
    VM_DEVICE_ROWS(struct vm_video),
};

static int check_video(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct vm_only table[] = {
	    {VM_VIDEO_BIT_RAM, "model/@ram", VM_ONE(VM_VIDEO_QXL), "type='qxl'"},
	    {VM_VIDEO_BIT_VRAM64, "model/@vram64", VM_ONE(VM_VIDEO_QXL), "type='qxl'"},
	    {VM_VIDEO_BIT_VGAMEM, "model/@vgamem", VM_ONE(VM_VIDEO_QXL), "type='qxl'"},
	};
	const struct vm_video *v = obj;

	if (vm_check_only(ctx, &v->dev.obj, table, VM_COUNT(table), v->kind, err) < 0)
		return -1;
	if (v->kind != VM_VIDEO_VIRTIO && vm_check_no_virtio(ctx, &v->dev.obj, err) < 0)
		return -1;
	if (v->kind == VM_VIDEO_RAMFB && v->dev.address)
		return mt_error(ctx, v, "address", VM_BAD_INPUT, err,
				"a video of type 'ramfb' has no address");
	if (v->accel3d == VM_SWITCH_ON || v->accel2d == VM_SWITCH_ON)
		return mt_error(ctx, v,
				v->accel3d ? "model/acceleration/@accel3d"
					   : "model/acceleration/@accel2d",
				VM_UNSUPPORTED, err, "acceleration is not supported yet");
	if (!v->x != !v->y)
		return mt_error(ctx, v, "model/resolution", VM_BAD_INPUT, err,
				"<resolution> needs x and y");
	return 0;
}
const struct mt_type vm_video_type = {
    .elem = "video",
    .size = sizeof(struct vm_video),
    .rows = video_rows,
    .n = VM_COUNT(video_rows),
    .check = check_video,
};
