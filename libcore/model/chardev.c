// SPDX-License-Identifier: LGPL-2.1-or-later
#include "chardev.h"

#include <string.h>

#include "rows.h"

const char *const vm_chardev_type_words[] = {
    "",	   "null", "vc",	"pty",	      "dev",   "file",		"pipe",	 "!stdio", "udp",
    "tcp", "unix", "!spicevmc", "!spiceport", "!nmdm", "!qemu-vdagent", "!dbus", NULL,
};
const char *const vm_chardev_mode_words[] = {"", "connect", "bind", NULL};
const char *const vm_chardev_protocol_words[] = {"", "raw", "telnet", "telnets", "tls", NULL};
const char *const vm_serial_target_words[] = {
    "",
    "isa-serial",
    "usb-serial",
    "pci-serial",
    "!spapr-vio-serial",
    "!system-serial",
    "!sclp-serial",
    "isa-debug",
    NULL,
};
const char *const vm_serial_model_words[] = {
    "",		  "isa-serial",	  "usb-serial",	  "pci-serial",
    "!spapr-vty", "!pl011",	  "!sclpconsole", "!sclplmconsole",
    "!16550a",	  "isa-debugcon", NULL,
};
const char *const vm_console_target_words[] = {
    "", "serial", "virtio", "!xen", "!uml", "!lxc", "!openvz", "!sclp", "!sclplm", NULL,
};
const char *const vm_channel_target_words[] = {"", "guestfwd", "virtio", "!xen", NULL};
static const char *const state_words[] = {"", "connected", "disconnected", NULL};

/* ---- backends ---- */

#define S(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_chardev, xml, member, VM_CHARDEV_BIT_##bit, kind, __VA_ARGS__)
#define LOG_ROWS                                                                                   \
	S("log/@file", log_file, LOG_FILE, MT_PATH),                                               \
	    S("log/@append", log_append, LOG_APPEND, MT_ENUM, .arg = vm_on_off_words)
#define RECONNECT_ROWS                                                                             \
	S("source/reconnect/@enabled", reconnect, RECONNECT, MT_ENUM, .arg = vm_yes_no_words),     \
	    S("source/reconnect/@timeout", reconnect_timeout, RECONNECT_TIMEOUT, MT_U64,           \
	      .arg = &vm_positive_range)
#define BACKEND(name, check_)                                                                      \
	static const struct mt_type name = {                                                       \
	    .elem = "source",                                                                      \
	    .size = sizeof(struct vm_chardev),                                                     \
	    .rows = name##_rows,                                                                   \
	    .n = VM_COUNT(name##_rows),                                                            \
	    .check = (check_),                                                                     \
	}

static int check_common(const struct vm_chardev *c, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (c->log_append && !c->log_file)
		return mt_error(ctx, c, "log/@append", VM_BAD_INPUT, err, "<log> needs a file");
	if (c->reconnect && c->mode == VM_CHARDEV_BIND)
		return mt_error(ctx, c, "source/reconnect/@enabled", VM_BAD_INPUT, err,
				"<reconnect> is only for mode='connect'");
	if (c->reconnect == VM_SWITCH_ON && !mt_is_set(&c->obj, VM_CHARDEV_BIT_RECONNECT_TIMEOUT))
		return mt_error(ctx, c, "source/reconnect/@enabled", VM_BAD_INPUT, err,
				"<reconnect> needs a timeout in seconds");
	return 0;
}

static int check_plain(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	return check_common(obj, ctx, err);
}

static int check_tcp(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_chardev *c = obj;

	if (!c->host || !c->service)
		return mt_error(ctx, c, "source", VM_BAD_INPUT, err,
				"a tcp device needs <source host='...' service='...'/>");
	if (c->tls == VM_SWITCH_ON || c->protocol == VM_PROTOCOL_TLS ||
	    c->protocol == VM_PROTOCOL_TELNETS)
		return mt_error(ctx, c, c->tls == VM_SWITCH_ON ? "source/@tls" : "protocol/@type",
				VM_UNSUPPORTED, err, "TLS is not supported yet");
	return check_common(c, ctx, err);
}

enum { UDP_MODE, UDP_HOST, UDP_SERVICE };
static const struct mt_row udp_source_rows[] = {
    MT_ROW(struct vm_chardev_source, "@mode", mode, UDP_MODE, MT_ENUM, .flags = MT_KEY,
	   .arg = vm_chardev_mode_words),
    MT_ROW(struct vm_chardev_source, "@host", host, UDP_HOST, MT_STR),
    MT_ROW(struct vm_chardev_source, "@service", service, UDP_SERVICE, MT_STR),
};
static const struct mt_type udp_source = {
    .elem = "source",
    .size = sizeof(struct vm_chardev_source),
    .rows = udp_source_rows,
    .n = VM_COUNT(udp_source_rows),
};

static int check_udp(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_chardev *c = obj;
	const struct vm_chardev_source *seen[2] = {NULL, NULL};

	for (uint32_t i = 0; i < c->sources.n; i++) {
		const struct vm_chardev_source *s = c->sources.v[i];
		int bind = s->mode == VM_CHARDEV_BIND;

		if (seen[bind])
			return mt_error(ctx, s, NULL, VM_BAD_INPUT, err,
					"a udp device has one <source> to connect to and one to "
					"bind");
		seen[bind] = s;
	}
	if (!seen[0] || !seen[0]->service)
		return mt_error(ctx, c, "source", VM_BAD_INPUT, err,
				"a udp device needs <source mode='connect' host='...' "
				"service='...'/>");
	return check_common(c, ctx, err);
}

static const struct mt_row plain_rows[] = {LOG_ROWS};
static const struct mt_row pty_rows[] = {
    S("source/@path", path, PATH, MT_STR, .flags = MT_LIVE_ONLY),
    LOG_ROWS,
};
static const struct mt_row path_rows[] = {
    S("source/@path", path, PATH, MT_PATH, .flags = MT_REQUIRED),
    LOG_ROWS,
};
static const struct mt_row file_rows[] = {
    S("source/@path", path, PATH, MT_PATH, .flags = MT_REQUIRED),
    S("source/@append", append, APPEND, MT_ENUM, .arg = vm_on_off_words),
    LOG_ROWS,
};
static const struct mt_row unix_rows[] = {
    S("source/@mode", mode, MODE, MT_ENUM, .arg = vm_chardev_mode_words),
    S("source/@path", path, PATH, MT_PATH),
    RECONNECT_ROWS,
    LOG_ROWS,
};
static const struct mt_row tcp_rows[] = {
    S("source/@mode", mode, MODE, MT_ENUM, .arg = vm_chardev_mode_words),
    S("source/@host", host, HOST, MT_STR),
    S("source/@service", service, SERVICE, MT_STR),
    S("source/@tls", tls, TLS, MT_ENUM, .arg = vm_yes_no_words),
    S("protocol/@type", protocol, PROTOCOL, MT_ENUM, .arg = vm_chardev_protocol_words),
    RECONNECT_ROWS,
    LOG_ROWS,
};
static const struct mt_row udp_rows[] = {
    S("source", sources, SOURCES, MT_MANY, .arg = &udp_source),
    LOG_ROWS,
};
BACKEND(plain, check_plain);
BACKEND(pty, check_plain);
BACKEND(path, check_plain);
BACKEND(file, check_plain);
BACKEND(unix, check_plain);
BACKEND(tcp, check_tcp);
BACKEND(udp, check_udp);

const struct mt_type *const vm_chardev_by_type[VM_CHARDEV_TYPES] = {
    [VM_CHARDEV_NULL] = &plain, [VM_CHARDEV_VC] = &plain,  [VM_CHARDEV_PTY] = &pty,
    [VM_CHARDEV_DEV] = &path,	[VM_CHARDEV_FILE] = &file, [VM_CHARDEV_PIPE] = &path,
    [VM_CHARDEV_UDP] = &udp,	[VM_CHARDEV_TCP] = &tcp,   [VM_CHARDEV_UNIX] = &unix,
};
static const struct mt_cases backend_cases = {
    .tag = "type",
    .tag_off = offsetof(struct vm_char, type),
    .n = VM_CHARDEV_TYPES,
    .by = vm_chardev_by_type,
};

/* ---- devices ---- */

#define C(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_char, xml, member, VM_CHAR_BIT_##bit, kind, __VA_ARGS__)
#define COMMON_ROWS                                                                                \
	C("@type", type, TYPE, MT_ENUM, .flags = MT_REQUIRED, .arg = vm_chardev_type_words),       \
	    C(".", backend, BACKEND, MT_CASE, .arg = &backend_cases)
#define TARGET_ROW(words)                                                                          \
	C("target/@type", target_type, TARGET_TYPE, MT_ENUM, .flags = MT_ASSIGNED, .arg = words)
#define PORT_ROW                                                                                   \
	C("target/@port", target_port, TARGET_PORT, MT_U64, .flags = MT_ASSIGNED,                  \
	  .arg = &vm_int_range)

static const struct mt_row serial_rows[] = {
    COMMON_ROWS,
    TARGET_ROW(vm_serial_target_words),
    PORT_ROW,
    C("target/model/@name", target_model, TARGET_MODEL, MT_ENUM, .flags = MT_ASSIGNED,
      .arg = vm_serial_model_words),
    VM_DEVICE_ROWS(struct vm_char),
};
static const struct mt_row parallel_rows[] = {
    COMMON_ROWS,
    PORT_ROW,
    VM_DEVICE_ROWS(struct vm_char),
};
static const struct mt_row console_rows[] = {
    COMMON_ROWS,
    C("@tty", tty, TTY, MT_STR, .flags = MT_LIVE_ONLY),
    TARGET_ROW(vm_console_target_words),
    PORT_ROW,
    VM_DEVICE_ROWS(struct vm_char),
};
static const struct mt_range tcp_port_range = {.min = 1, .max = 65535};
static const struct mt_row channel_rows[] = {
    COMMON_ROWS,
    C("target/@type", target_type, TARGET_TYPE, MT_ENUM, .flags = MT_REQUIRED,
      .arg = vm_channel_target_words),
    C("target/@address", target_address, TARGET_ADDRESS, MT_STR),
    C("target/@port", target_port, TARGET_PORT, MT_U64, .arg = &tcp_port_range),
    C("target/@name", target_name, TARGET_NAME, MT_STR, .flags = MT_KEY),
    C("target/@state", target_state, TARGET_STATE, MT_ENUM, .flags = MT_LIVE_ONLY,
      .arg = state_words),
    VM_DEVICE_ROWS(struct vm_char),
};

/* Channels may leave the path of a socket to us; other devices say it. */
static int check_socket(const struct vm_char *c, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (c->type == VM_CHARDEV_UNIX && (!c->backend || !c->backend->path))
		return mt_error(ctx, c, NULL, VM_BAD_INPUT, err,
				"a unix device needs <source path='...'/>");
	return 0;
}

static int check_serial(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct {
		int target, model;
	} fits[] = {
	    {VM_SERIAL_ISA, VM_SERIAL_MODEL_ISA},
	    {VM_SERIAL_USB, VM_SERIAL_MODEL_USB},
	    {VM_SERIAL_PCI, VM_SERIAL_MODEL_PCI},
	    {VM_SERIAL_ISA_DEBUG, VM_SERIAL_MODEL_ISA_DEBUGCON},
	};
	const struct vm_char *c = obj;
	static const int address_for[] = {
	    [VM_SERIAL_ISA] = VM_ADDRESS_ISA,
	    [VM_SERIAL_USB] = VM_ADDRESS_USB,
	    [VM_SERIAL_PCI] = VM_ADDRESS_PCI,
	    [VM_SERIAL_ISA_DEBUG] = VM_ADDRESS_ISA,
	};

	for (size_t i = 0; i < VM_COUNT(fits); i++)
		if (c->target_type == fits[i].target && c->target_model &&
		    c->target_model != fits[i].model)
			return mt_error(ctx, c, "target/model/@name", VM_BAD_INPUT, err,
					"model '%s' does not go with target type '%s'",
					vm_word(vm_serial_model_words, c->target_model),
					vm_word(vm_serial_target_words, c->target_type));
	if (c->target_type && c->dev.address_type &&
	    c->dev.address_type != address_for[c->target_type])
		return mt_error(ctx, c, "address", VM_BAD_INPUT, err, "a %s takes no %s address",
				vm_word(vm_serial_target_words, c->target_type),
				vm_word(vm_address_type_words, c->dev.address_type));
	return check_socket(c, ctx, err);
}

static int check_char(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	return check_socket(obj, ctx, err);
}

static int check_channel(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_char *c = obj;

	const bool forward = c->target_type == VM_CHANNEL_GUESTFWD;

	if (forward && (!c->target_address || !mt_is_set(&c->dev.obj, VM_CHAR_BIT_TARGET_PORT)))
		return mt_error(ctx, c, "target", VM_BAD_INPUT, err,
				"a 'guestfwd' target needs an address and a port");
	if (!forward && c->target_address)
		return mt_error(ctx, c, "target/@address", VM_BAD_INPUT, err,
				"an address is only for type='guestfwd'");
	if (!forward && mt_is_set(&c->dev.obj, VM_CHAR_BIT_TARGET_PORT))
		return mt_error(ctx, c, "target/@port", VM_BAD_INPUT, err,
				"a port is only for type='guestfwd'");
	if (forward && c->target_name)
		return mt_error(ctx, c, "target/@name", VM_BAD_INPUT, err,
				"a name is only for type='virtio'");
	/* Without a path the socket is ours to make: there is nothing to connect to. */
	if (c->type == VM_CHARDEV_UNIX && c->backend && !c->backend->path && c->backend->reconnect)
		return mt_error(ctx, c, "source/reconnect", VM_BAD_INPUT, err,
				"<reconnect> is only for mode='connect' with a path");
	return 0;
}

#define CHAR_TYPE(family, check_)                                                                  \
	const struct mt_type vm_##family##_type = {                                                \
	    .elem = #family,                                                                       \
	    .size = sizeof(struct vm_char),                                                        \
	    .rows = family##_rows,                                                                 \
	    .n = VM_COUNT(family##_rows),                                                          \
	    .check = (check_),                                                                     \
	}
CHAR_TYPE(serial, check_serial);
CHAR_TYPE(parallel, check_char);
CHAR_TYPE(console, check_char);
CHAR_TYPE(channel, check_channel);
