/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* os, features, cpu, clock */
#include <vm/mt.h>

enum vm_boot_dev { VM_BOOT_NONE, VM_BOOT_FD, VM_BOOT_CDROM, VM_BOOT_HD, VM_BOOT_NETWORK };
enum vm_loader_type { VM_LOADER_ABSENT, VM_LOADER_ROM, VM_LOADER_PFLASH };
enum vm_smbios_mode {
	VM_SMBIOS_ABSENT,
	VM_SMBIOS_NONE,
	VM_SMBIOS_EMULATE,
	VM_SMBIOS_HOST,
	VM_SMBIOS_SYSINFO
};
enum vm_firmware { VM_FIRMWARE_ABSENT, VM_FIRMWARE_BIOS, VM_FIRMWARE_EFI };
enum vm_firmware_feature_name {
	VM_FIRMWARE_FEATURE_ABSENT,
	VM_FIRMWARE_ENROLLED_KEYS,
	VM_FIRMWARE_SECURE_BOOT
};
extern const char *const vm_boot_dev_words[],
    *const vm_loader_type_words[], *const vm_smbios_mode_words[], *const vm_firmware_words[],
    *const vm_firmware_feature_words[];
/* What firmware that is chosen for the guest must have, or must not have. */
struct vm_firmware_feature {
	struct mt_obj obj;
	int name;    /* enum vm_firmware_feature_name */
	int enabled; /* yes/no */
};
struct vm_os_boot {
	struct mt_obj obj;
	int dev; /* enum vm_boot_dev */
};
struct vm_os {
	struct mt_obj obj;
	char *type;	      /* "hvm" */
	char *arch, *machine; /* filled if absent */
	int firmware;		       /* enum vm_firmware: chosen at the start, unless loader says it */
	struct mt_list firmware_features; /* struct vm_firmware_feature */
	char *kernel, *initrd, *cmdline, *dtb;
	struct mt_list boots;	      /* struct vm_os_boot, in boot order */
	int bootmenu;		      /* yes/no */
	uint64_t bootmenu_timeout_ms; /* bit tells */
	int useserial;		      /* yes/no */
	int64_t reboot_timeout_ms;    /* -1...65535; bit tells */
	int smbios;
	char *loader, *nvram, *nvram_template;
	int loader_readonly, loader_secure, loader_stateless; /* yes/no */
	int loader_type;
};
enum vm_os_bit {
	VM_OS_BIT_TYPE,
	VM_OS_BIT_ARCH,
	VM_OS_BIT_MACHINE,
	VM_OS_BIT_FIRMWARE,
	VM_OS_BIT_FIRMWARE_FEATURES,
	VM_OS_BIT_KERNEL,
	VM_OS_BIT_INITRD,
	VM_OS_BIT_CMDLINE,
	VM_OS_BIT_DTB,
	VM_OS_BIT_BOOTS,
	VM_OS_BIT_BOOTMENU,
	VM_OS_BIT_BOOTMENU_TIMEOUT,
	VM_OS_BIT_USESERIAL,
	VM_OS_BIT_REBOOT_TIMEOUT,
	VM_OS_BIT_SMBIOS,
	VM_OS_BIT_LOADER,
	VM_OS_BIT_LOADER_READONLY,
	VM_OS_BIT_LOADER_SECURE,
	VM_OS_BIT_LOADER_STATELESS,
	VM_OS_BIT_LOADER_TYPE,
	VM_OS_BIT_NVRAM,
	VM_OS_BIT_NVRAM_TEMPLATE,
};
extern const struct mt_type vm_os_type;

struct vm_hyperv {
	struct mt_obj obj;
	int mode; /* 1 custom, 2 passthrough */
	/* all on/off */
	int relaxed, vapic, spinlocks, vpindex, runtime, synic, stimer, stimer_direct, reset,
	    vendor_id, frequencies, reenlightenment, tlbflush, ipi, evmcs, avic;
	uint64_t spinlocks_retries; /* 0 = absent */
	char *vendor_id_value;
};
struct vm_kvm_features {
	struct mt_obj obj;
	int hidden, hint_dedicated, poll_control, pv_ipi, dirty_ring; /* on/off */
	uint64_t dirty_ring_size;
};
enum vm_ioapic { VM_IOAPIC_ABSENT, VM_IOAPIC_KVM, VM_IOAPIC_QEMU };
struct vm_features {
	struct mt_obj obj;
	bool acpi, apic, pae, hap, viridian, privnet;
	int apic_eoi, hap_state; /* on/off */
	int smm, vmport, pmu, pvspinlock,
	    vmcoreinfo; /* on/off; pvspinlock, pmu, smm without @state: on */
	bool smm_present, pmu_present, vmcoreinfo_present, pvspinlock_present;
	uint64_t smm_tseg; /* bytes; 0 = absent */
	int ioapic;	   /* enum vm_ioapic */
	struct vm_hyperv *hyperv;
	struct vm_kvm_features *kvm;
};
extern const struct mt_type vm_features_type;
void vm_features_enable_smm(struct vm_features *f);

enum vm_cpu_mode {
	VM_CPU_MODE_ABSENT,
	VM_CPU_CUSTOM,
	VM_CPU_HOST_MODEL,
	VM_CPU_HOST_PASSTHROUGH,
	VM_CPU_MAXIMUM
};
enum vm_cpu_match { VM_CPU_MATCH_ABSENT, VM_CPU_MINIMUM, VM_CPU_EXACT, VM_CPU_STRICT };
enum vm_cpu_check {
	VM_CPU_CHECK_ABSENT,
	VM_CPU_CHECK_NONE,
	VM_CPU_CHECK_PARTIAL,
	VM_CPU_CHECK_FULL
};
enum vm_cpu_fallback { VM_CPU_FALLBACK_ABSENT, VM_CPU_FALLBACK_ALLOW, VM_CPU_FALLBACK_FORBID };
enum vm_cpu_policy {
	VM_CPU_POLICY_ABSENT,
	VM_CPU_FORCE,
	VM_CPU_REQUIRE,
	VM_CPU_OPTIONAL,
	VM_CPU_DISABLE,
	VM_CPU_FORBID
};
enum vm_cpu_cache_mode {
	VM_CPU_CACHE_ABSENT,
	VM_CPU_CACHE_EMULATE,
	VM_CPU_CACHE_PASSTHROUGH,
	VM_CPU_CACHE_DISABLE
};
enum vm_cpu_phys_mode { VM_CPU_PHYS_ABSENT, VM_CPU_PHYS_PASSTHROUGH, VM_CPU_PHYS_EMULATE };
extern const char *const vm_cpu_mode_words[], *const vm_cpu_match_words[],
						  *const vm_cpu_check_words[],
						      *const vm_cpu_fallback_words[],
							  *const vm_cpu_policy_words[],
							      *const vm_cpu_cache_mode_words[],
								  *const vm_cpu_phys_mode_words[];
struct vm_cpu_feature {
	struct mt_obj obj;
	int policy;
	char *name;
};
struct vm_cpu {
	struct mt_obj obj;
	int mode, match, check, migratable; /* migratable: on/off */
	char *model, *vendor_id;
	int fallback;
	char *vendor;
	uint64_t sockets, dies, cores, threads; /* 0 = no topology given (dies: 1) */
	int cache_mode;
	uint64_t cache_level; /* 0 = absent */
	int phys_mode;
	uint64_t phys_bits, phys_limit; /* 0 = absent */
	struct mt_list features;	/* struct vm_cpu_feature */
	struct mt_list cells;		/* struct vm_numa_cell of tune.h */
};
enum vm_cpu_bit {
	VM_CPU_BIT_MODE,
	VM_CPU_BIT_MATCH,
	VM_CPU_BIT_CHECK,
	VM_CPU_BIT_MIGRATABLE,
	VM_CPU_BIT_MODEL,
	VM_CPU_BIT_VENDOR_ID,
	VM_CPU_BIT_FALLBACK,
	VM_CPU_BIT_VENDOR,
	VM_CPU_BIT_SOCKETS,
	VM_CPU_BIT_DIES,
	VM_CPU_BIT_CORES,
	VM_CPU_BIT_THREADS,
	VM_CPU_BIT_CACHE_MODE,
	VM_CPU_BIT_CACHE_LEVEL,
	VM_CPU_BIT_PHYS_MODE,
	VM_CPU_BIT_PHYS_BITS,
	VM_CPU_BIT_PHYS_LIMIT,
	VM_CPU_BIT_FEATURES,
	VM_CPU_BIT_CELLS,
};
extern const struct mt_type vm_cpu_type;

enum vm_clock_offset {
	VM_CLOCK_ABSENT,
	VM_CLOCK_UTC,
	VM_CLOCK_LOCALTIME,
	VM_CLOCK_VARIABLE,
	VM_CLOCK_TIMEZONE,
	VM_CLOCK_ABSOLUTE
};
enum vm_timer_name {
	VM_TIMER_NONE,
	VM_TIMER_PLATFORM,
	VM_TIMER_PIT,
	VM_TIMER_RTC,
	VM_TIMER_HPET,
	VM_TIMER_TSC,
	VM_TIMER_KVMCLOCK,
	VM_TIMER_HYPERVCLOCK,
	VM_TIMER_ARMVTIMER
};
enum vm_timer_tick {
	VM_TICK_ABSENT,
	VM_TICK_DELAY,
	VM_TICK_CATCHUP,
	VM_TICK_MERGE,
	VM_TICK_DISCARD
};
enum vm_timer_track {
	VM_TRACK_ABSENT,
	VM_TRACK_BOOT,
	VM_TRACK_GUEST,
	VM_TRACK_WALL,
	VM_TRACK_REALTIME
};
enum vm_timer_mode {
	VM_TIMER_MODE_ABSENT,
	VM_TIMER_MODE_AUTO,
	VM_TIMER_MODE_NATIVE,
	VM_TIMER_MODE_EMULATE,
	VM_TIMER_MODE_PARAVIRT,
	VM_TIMER_MODE_SMPSAFE
};
extern const char *const vm_clock_offset_words[],
    *const vm_timer_name_words[], *const vm_timer_tick_words[], *const vm_timer_track_words[],
								    *const vm_timer_mode_words[];
struct vm_timer {
	struct mt_obj obj;
	int name, tick, track, mode;
	int present;						 /* yes/no */
	uint64_t frequency_hz;					 /* 0 = absent */
	uint64_t catchup_threshold, catchup_slew, catchup_limit; /* 0 = absent */
};
struct vm_clock {
	struct mt_obj obj;
	int offset, basis; /* basis: VM_CLOCK_UTC or VM_CLOCK_LOCALTIME */
	char *adjustment;  /* seconds as text, or "reset" */
	char *timezone;
	uint64_t start_s;      /* absolute: seconds since the epoch */
	struct mt_list timers; /* struct vm_timer */
};
extern const struct mt_type vm_clock_type;
