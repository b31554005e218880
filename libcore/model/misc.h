/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Small devices: input, rng, memballoon, watchdog, panic, audio. */
#include "device.h"

enum vm_input_kind {
	VM_INPUT_NONE,
	VM_INPUT_MOUSE,
	VM_INPUT_TABLET,
	VM_INPUT_KEYBOARD,
	VM_INPUT_PASSTHROUGH,
	VM_INPUT_EVDEV
};
enum vm_input_bus {
	VM_INPUT_BUS_ABSENT,
	VM_INPUT_BUS_PS2,
	VM_INPUT_BUS_USB,
	VM_INPUT_BUS_XEN,
	VM_INPUT_BUS_PARALLELS,
	VM_INPUT_BUS_VIRTIO,
	VM_INPUT_BUS_NONE
};
extern const char *const vm_input_kind_words[], *const vm_input_bus_words[];
struct vm_input {
	struct vm_device dev;
	int kind, bus;
	int model; /* enum vm_virtio_model of disk.h; bus virtio only */
	struct vm_virtio_options virtio;
};
enum vm_input_bit { VM_INPUT_BIT_KIND, VM_INPUT_BIT_BUS, VM_INPUT_BIT_MODEL };
extern const struct mt_type vm_input_type;

enum vm_rng_backend { VM_RNG_NONE, VM_RNG_RANDOM, VM_RNG_EGD, VM_RNG_BUILTIN };
extern const char *const vm_rng_backend_words[];
struct vm_rng {
	struct vm_device dev;
	int model;			     /* enum vm_virtio_model */
	uint64_t rate_bytes, rate_period_ms; /* 0 = absent */
	int backend;
	char *path; /* random: NULL = QEMU's default, /dev/urandom */
	struct vm_virtio_options virtio;
};
enum vm_rng_bit {
	VM_RNG_BIT_MODEL,
	VM_RNG_BIT_RATE_BYTES,
	VM_RNG_BIT_RATE_PERIOD,
	VM_RNG_BIT_BACKEND,
	VM_RNG_BIT_PATH
};
extern const struct mt_type vm_rng_type;

enum vm_memballoon_model {
	VM_MEMBALLOON_ABSENT,
	VM_MEMBALLOON_VIRTIO,
	VM_MEMBALLOON_TRANSITIONAL,
	VM_MEMBALLOON_NON_TRANSITIONAL,
	VM_MEMBALLOON_NONE,
	VM_MEMBALLOON_XEN
};
extern const char *const vm_memballoon_model_words[];
struct vm_memballoon {
	struct vm_device dev;
	int model, autodeflate, free_page_reporting;
	uint64_t stats_period_s; /* bit tells */
	struct vm_virtio_options virtio;
};
enum vm_memballoon_bit {
	VM_MEMBALLOON_BIT_MODEL,
	VM_MEMBALLOON_BIT_AUTODEFLATE,
	VM_MEMBALLOON_BIT_FREE_PAGE_REPORTING,
	VM_MEMBALLOON_BIT_STATS_PERIOD
};
extern const struct mt_type vm_memballoon_type;

enum vm_watchdog_model {
	VM_WATCHDOG_NONE,
	VM_WATCHDOG_I6300ESB,
	VM_WATCHDOG_IB700,
	VM_WATCHDOG_DIAG288,
	VM_WATCHDOG_ITCO
};
enum vm_watchdog_action {
	VM_WATCHDOG_ACTION_ABSENT,
	VM_WATCHDOG_RESET,
	VM_WATCHDOG_SHUTDOWN,
	VM_WATCHDOG_POWEROFF,
	VM_WATCHDOG_PAUSE,
	VM_WATCHDOG_DUMP,
	VM_WATCHDOG_NO_ACTION,
	VM_WATCHDOG_INJECT_NMI
};
extern const char *const vm_watchdog_model_words[], *const vm_watchdog_action_words[];
struct vm_watchdog {
	struct vm_device dev;
	int model, action;
};
enum vm_watchdog_bit { VM_WATCHDOG_BIT_MODEL, VM_WATCHDOG_BIT_ACTION };
extern const struct mt_type vm_watchdog_type;

enum vm_panic_model {
	VM_PANIC_ABSENT,
	VM_PANIC_PSERIES,
	VM_PANIC_ISA,
	VM_PANIC_HYPERV,
	VM_PANIC_S390,
	VM_PANIC_PVPANIC
};
extern const char *const vm_panic_model_words[];
struct vm_panic {
	struct vm_device dev;
	int model;
};
enum vm_panic_bit { VM_PANIC_BIT_MODEL };
extern const struct mt_type vm_panic_type;

/* Where the guest's sound goes on the host. */
enum vm_audio_kind {
	VM_AUDIO_ABSENT,
	VM_AUDIO_NONE,
	VM_AUDIO_ALSA,
	VM_AUDIO_COREAUDIO,
	VM_AUDIO_JACK,
	VM_AUDIO_OSS,
	VM_AUDIO_PULSEAUDIO,
	VM_AUDIO_SDL,
	VM_AUDIO_SPICE,
	VM_AUDIO_FILE,
	VM_AUDIO_DBUS
};
extern const char *const vm_audio_kind_words[];
struct vm_audio {
	struct vm_device dev; /* has no address */
	uint64_t id;	      /* 1... */
	int kind;
};
enum vm_audio_bit { VM_AUDIO_BIT_ID, VM_AUDIO_BIT_KIND };
extern const struct mt_type vm_audio_type;
