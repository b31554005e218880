/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* serial, parallel, console, channel: a device the guest sees and a backend on the host. */
#include "device.h"

enum vm_chardev_type {
	VM_CHARDEV_NONE,
	VM_CHARDEV_NULL,
	VM_CHARDEV_VC,
	VM_CHARDEV_PTY,
	VM_CHARDEV_DEV,
	VM_CHARDEV_FILE,
	VM_CHARDEV_PIPE,
	VM_CHARDEV_STDIO,
	VM_CHARDEV_UDP,
	VM_CHARDEV_TCP,
	VM_CHARDEV_UNIX,
	VM_CHARDEV_SPICEVMC,
	VM_CHARDEV_SPICEPORT,
	VM_CHARDEV_NMDM,
	VM_CHARDEV_QEMU_VDAGENT,
	VM_CHARDEV_DBUS,
	VM_CHARDEV_TYPES
};
enum vm_chardev_mode { VM_CHARDEV_MODE_ABSENT, VM_CHARDEV_CONNECT, VM_CHARDEV_BIND };
enum vm_chardev_protocol {
	VM_PROTOCOL_ABSENT,
	VM_PROTOCOL_RAW,
	VM_PROTOCOL_TELNET,
	VM_PROTOCOL_TELNETS,
	VM_PROTOCOL_TLS
};
extern const char *const vm_chardev_type_words[], *const vm_chardev_mode_words[],
						      *const vm_chardev_protocol_words[];

struct vm_chardev_source { /* <source> of a udp backend: one to connect to, one to bind */
	struct mt_obj obj;
	int mode; /* enum vm_chardev_mode */
	char *host, *service;
};
struct vm_chardev {
	struct mt_obj obj;
	char *path;		    /* pty (live), file, dev, pipe, unix */
	int append;		    /* file: enum vm_switch */
	int mode;		    /* unix, tcp: enum vm_chardev_mode */
	char *host, *service;	    /* tcp */
	int protocol;		    /* tcp: enum vm_chardev_protocol */
	int tls;		    /* tcp: yes/no */
	int reconnect;		    /* unix, tcp: reconnect/@enabled, yes/no */
	uint64_t reconnect_timeout; /* seconds; bit tells */
	struct mt_list sources;	    /* udp: struct vm_chardev_source */
	char *log_file;
	int log_append; /* enum vm_switch */
};
enum vm_chardev_bit {
	VM_CHARDEV_BIT_PATH,
	VM_CHARDEV_BIT_APPEND,
	VM_CHARDEV_BIT_MODE,
	VM_CHARDEV_BIT_HOST,
	VM_CHARDEV_BIT_SERVICE,
	VM_CHARDEV_BIT_PROTOCOL,
	VM_CHARDEV_BIT_TLS,
	VM_CHARDEV_BIT_RECONNECT,
	VM_CHARDEV_BIT_RECONNECT_TIMEOUT,
	VM_CHARDEV_BIT_SOURCES,
	VM_CHARDEV_BIT_LOG_FILE,
	VM_CHARDEV_BIT_LOG_APPEND,
};
/* By enum vm_chardev_type, read from the device's own element. */
extern const struct mt_type *const vm_chardev_by_type[VM_CHARDEV_TYPES];

enum vm_serial_target {
	VM_SERIAL_ABSENT,
	VM_SERIAL_ISA,
	VM_SERIAL_USB,
	VM_SERIAL_PCI,
	VM_SERIAL_SPAPR,
	VM_SERIAL_SYSTEM,
	VM_SERIAL_SCLP,
	VM_SERIAL_ISA_DEBUG
};
enum vm_serial_model {
	VM_SERIAL_MODEL_ABSENT,
	VM_SERIAL_MODEL_ISA,
	VM_SERIAL_MODEL_USB,
	VM_SERIAL_MODEL_PCI,
	VM_SERIAL_MODEL_SPAPR,
	VM_SERIAL_MODEL_PL011,
	VM_SERIAL_MODEL_SCLPCONSOLE,
	VM_SERIAL_MODEL_SCLPLMCONSOLE,
	VM_SERIAL_MODEL_16550A,
	VM_SERIAL_MODEL_ISA_DEBUGCON
};
enum vm_console_target {
	VM_CONSOLE_ABSENT,
	VM_CONSOLE_SERIAL,
	VM_CONSOLE_VIRTIO,
	VM_CONSOLE_XEN,
	VM_CONSOLE_UML,
	VM_CONSOLE_LXC,
	VM_CONSOLE_OPENVZ,
	VM_CONSOLE_SCLP,
	VM_CONSOLE_SCLPLM
};
enum vm_channel_target {
	VM_CHANNEL_ABSENT,
	VM_CHANNEL_GUESTFWD,
	VM_CHANNEL_VIRTIO,
	VM_CHANNEL_XEN
};
extern const char *const vm_serial_target_words[], *const vm_serial_model_words[],
						       *const vm_console_target_words[],
							   *const vm_channel_target_words[];

struct vm_char {
	struct vm_device dev;
	int type;		    /* enum vm_chardev_type */
	struct vm_chardev *backend; /* NULL if the type has nothing to say */
	int target_type;	    /* serial: vm_serial_target; console, channel: likewise */
	int target_model;	    /* serial: enum vm_serial_model */
	uint64_t target_port;	    /* bit tells; channel guestfwd: TCP port */
	char *target_name;	    /* channel virtio: "org.qemu.guest_agent.0" */
	int target_state;	    /* channel, live: 1 connected, 2 disconnected */
	char *target_address;	    /* channel guestfwd */
	char *tty;		    /* console, live */
};
enum vm_char_bit {
	VM_CHAR_BIT_TYPE,
	VM_CHAR_BIT_BACKEND,
	VM_CHAR_BIT_TARGET_TYPE,
	VM_CHAR_BIT_TARGET_MODEL,
	VM_CHAR_BIT_TARGET_PORT,
	VM_CHAR_BIT_TARGET_NAME,
	VM_CHAR_BIT_TARGET_STATE,
	VM_CHAR_BIT_TARGET_ADDRESS,
	VM_CHAR_BIT_TTY,
};
extern const struct mt_type vm_serial_type, vm_parallel_type, vm_console_type, vm_channel_type;
