/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* graphics, video */
#include "device.h"

enum vm_graphics_kind {
	VM_GRAPHICS_NONE,
	VM_GRAPHICS_VNC,
	VM_GRAPHICS_SPICE,
	VM_GRAPHICS_SDL,
	VM_GRAPHICS_RDP,
	VM_GRAPHICS_DESKTOP,
	VM_GRAPHICS_EGL_HEADLESS,
	VM_GRAPHICS_DBUS,
	VM_GRAPHICS_KINDS
};
enum vm_listen_kind {
	VM_LISTEN_ABSENT,
	VM_LISTEN_ADDRESS,
	VM_LISTEN_NETWORK,
	VM_LISTEN_SOCKET,
	VM_LISTEN_NONE
};
enum vm_share_policy {
	VM_SHARE_ABSENT,
	VM_SHARE_ALLOW_EXCLUSIVE,
	VM_SHARE_FORCE_SHARED,
	VM_SHARE_IGNORE
};
extern const char *const vm_graphics_kind_words[], *const vm_listen_kind_words[],
						       *const vm_share_policy_words[];

struct vm_listen {
	struct mt_obj obj;
	int kind;
	char *address, *network, *socket;
};
struct vm_vnc {
	struct mt_obj obj;
	int64_t port;	   /* -1 = auto; bit 0 (VM_VNC_BIT_PORT) tells; 5900... */
	int autoport;	   /* yes/no */
	int64_t websocket; /* -1 = auto; bit 2 tells */
	char *listen, *socket, *keymap;
	char *passwd, *passwd_valid_to; /* secret */
	int connected;			/* 1 fail, 2 disconnect, 3 keep */
	int share_policy;		/* enum vm_share_policy */
	int power_control;		/* yes/no */
	struct mt_list listens;		/* struct vm_listen; at most one for vnc */
};
enum vm_vnc_bit {
	VM_VNC_BIT_PORT,
	VM_VNC_BIT_AUTOPORT,
	VM_VNC_BIT_WEBSOCKET,
	VM_VNC_BIT_LISTEN,
	VM_VNC_BIT_SOCKET,
	VM_VNC_BIT_KEYMAP,
	VM_VNC_BIT_PASSWD,
	VM_VNC_BIT_PASSWD_VALID_TO,
	VM_VNC_BIT_CONNECTED,
	VM_VNC_BIT_SHARE_POLICY,
	VM_VNC_BIT_POWER_CONTROL,
	VM_VNC_BIT_LISTENS
};
struct vm_graphics {
	struct vm_device dev; /* has no address */
	int kind;
	struct vm_vnc *vnc; /* kind vnc */
};
/* When the password ends, in seconds since 1970; false = never. */
bool vm_vnc_valid_to(const struct vm_vnc *v, uint64_t *ret_s);
extern const struct mt_type vm_graphics_type;

enum vm_video_kind {
	VM_VIDEO_ABSENT,
	VM_VIDEO_VGA,
	VM_VIDEO_CIRRUS,
	VM_VIDEO_VMVGA,
	VM_VIDEO_XEN,
	VM_VIDEO_VBOX,
	VM_VIDEO_QXL,
	VM_VIDEO_PARALLELS,
	VM_VIDEO_VIRTIO,
	VM_VIDEO_GOP,
	VM_VIDEO_NONE,
	VM_VIDEO_BOCHS,
	VM_VIDEO_RAMFB
};
enum vm_vgaconf { VM_VGACONF_ABSENT, VM_VGACONF_IO, VM_VGACONF_ON, VM_VGACONF_OFF };
extern const char *const vm_video_kind_words[], *const vm_vgaconf_words[];

struct vm_video {
	struct vm_device dev;
	int kind;	/* model/@type */
	uint64_t heads; /* 0 = absent */
	uint64_t ram, vram, vram64,
	    vgamem;		       /* KiB; 0 = absent (libvirt's unit in these attributes) */
	int primary, accel3d, accel2d; /* yes/no */
	uint64_t x, y;		       /* model/resolution; 0 = absent */
	int driver;		       /* 1 qemu, 2 vhostuser */
	int vgaconf;		       /* enum vm_vgaconf */
	struct vm_virtio_options virtio;
};
enum vm_video_bit {
	VM_VIDEO_BIT_KIND,
	VM_VIDEO_BIT_HEADS,
	VM_VIDEO_BIT_RAM,
	VM_VIDEO_BIT_VRAM,
	VM_VIDEO_BIT_VRAM64,
	VM_VIDEO_BIT_VGAMEM,
	VM_VIDEO_BIT_PRIMARY,
	VM_VIDEO_BIT_ACCEL3D,
	VM_VIDEO_BIT_ACCEL2D,
	VM_VIDEO_BIT_X,
	VM_VIDEO_BIT_Y,
	VM_VIDEO_BIT_DRIVER,
	VM_VIDEO_BIT_VGACONF
};
extern const struct mt_type vm_video_type;
