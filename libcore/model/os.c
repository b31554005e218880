// SPDX-License-Identifier: LGPL-2.1-or-later
#include "os.h"

#include <string.h>

#include "rows.h"
#include "tune.h"

const char *const vm_lifecycle_words[] = {
    "",		"destroy",	    "restart",		"!rename-restart",
    "preserve", "coredump-destroy", "coredump-restart", NULL,
};

const char *const vm_boot_dev_words[] = {"", "fd", "cdrom", "hd", "network", NULL};
const char *const vm_loader_type_words[] = {"", "rom", "pflash", NULL};
const char *const vm_smbios_mode_words[] = {"", "none", "emulate", "!host", "!sysinfo", NULL};
const char *const vm_firmware_words[] = {"", "bios", "efi", NULL};
const char *const vm_firmware_feature_words[] = {"", "enrolled-keys", "secure-boot", NULL};

/* ---- os ---- */

static const struct mt_row boot_rows[] = {
    MT_ROW(struct vm_os_boot, "@dev", dev, 0, MT_ENUM, .flags = MT_REQUIRED,
	   .arg = vm_boot_dev_words),
};
static const struct mt_type boot_type = {
    .elem = "boot",
    .size = sizeof(struct vm_os_boot),
    .rows = boot_rows,
    .n = VM_COUNT(boot_rows),
};

static const struct mt_row firmware_feature_rows[] = {
    MT_ROW(struct vm_firmware_feature, "@enabled", enabled, 1, MT_ENUM, .flags = MT_REQUIRED,
	   .arg = vm_yes_no_words),
    MT_ROW(struct vm_firmware_feature, "@name", name, 0, MT_ENUM, .flags = MT_REQUIRED | MT_KEY,
	   .arg = vm_firmware_feature_words),
};
static const struct mt_type firmware_feature_type = {
    .elem = "feature",
    .size = sizeof(struct vm_firmware_feature),
    .rows = firmware_feature_rows,
    .n = VM_COUNT(firmware_feature_rows),
};

#define O(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_os, xml, member, VM_OS_BIT_##bit, kind, __VA_ARGS__)
#define O_WORD(xml, member, bit, list) O(xml, member, bit, MT_ENUM, .arg = list)
static const struct mt_range menu_range = {.max = 65535};
static const struct mt_range reboot_range = {.min = (uint64_t)-1, .max = 65535};
static const struct mt_row os_rows[] = {
    O_WORD("@firmware", firmware, FIRMWARE, vm_firmware_words),
    O("type/#text", type, TYPE, MT_STR, .flags = MT_REQUIRED),
    O("type/@arch", arch, ARCH, MT_STR, .flags = MT_ASSIGNED),
    O("type/@machine", machine, MACHINE, MT_STR, .flags = MT_ASSIGNED),
    O("firmware/feature", firmware_features, FIRMWARE_FEATURES, MT_MANY,
      .arg = &firmware_feature_type),
    O("loader/#text", loader, LOADER, MT_PATH),
    O_WORD("loader/@readonly", loader_readonly, LOADER_READONLY, vm_yes_no_words),
    O_WORD("loader/@secure", loader_secure, LOADER_SECURE, vm_yes_no_words),
    O_WORD("loader/@type", loader_type, LOADER_TYPE, vm_loader_type_words),
    O_WORD("loader/@stateless", loader_stateless, LOADER_STATELESS, vm_yes_no_words),
    O("nvram/#text", nvram, NVRAM, MT_PATH),
    O("nvram/@template", nvram_template, NVRAM_TEMPLATE, MT_PATH),
    O("kernel/#text", kernel, KERNEL, MT_PATH),
    O("initrd/#text", initrd, INITRD, MT_PATH),
    O("cmdline/#text", cmdline, CMDLINE, MT_STR),
    O("dtb/#text", dtb, DTB, MT_PATH),
    O("boot", boots, BOOTS, MT_MANY, .arg = &boot_type),
    O_WORD("bootmenu/@enable", bootmenu, BOOTMENU, vm_yes_no_words),
    O("bootmenu/@timeout", bootmenu_timeout_ms, BOOTMENU_TIMEOUT, MT_U64, .arg = &menu_range),
    O_WORD("bios/@useserial", useserial, USESERIAL, vm_yes_no_words),
    O("bios/@rebootTimeout", reboot_timeout_ms, REBOOT_TIMEOUT, MT_I64, .arg = &reboot_range),
    O_WORD("smbios/@mode", smbios, SMBIOS, vm_smbios_mode_words),
};

static int check_firmware_features(const struct vm_os *os, const struct mt_ctx *ctx,
				   struct vm_err *err)
{
	const struct vm_firmware_feature *by[VM_FIRMWARE_SECURE_BOOT + 1] = {NULL};
	const struct vm_firmware_feature *secure, *keys;

	for (uint32_t i = 0; i < os->firmware_features.n; i++) {
		const struct vm_firmware_feature *f = os->firmware_features.v[i];

		if (os->firmware != VM_FIRMWARE_EFI)
			return mt_error(ctx, f, NULL, VM_BAD_INPUT, err,
					"<feature> of <firmware> is only with firmware='efi'");
		if (by[f->name])
			return mt_error(ctx, f, "@name", VM_BAD_INPUT, err,
					"firmware feature '%s' is given twice",
					vm_word(vm_firmware_feature_words, f->name));
		by[f->name] = f;
	}
	secure = by[VM_FIRMWARE_SECURE_BOOT];
	keys = by[VM_FIRMWARE_ENROLLED_KEYS];
	if (secure && secure->enabled == VM_SWITCH_OFF && keys && keys->enabled == VM_SWITCH_ON)
		return mt_error(ctx, keys, "@enabled", VM_BAD_INPUT, err,
				"without secure boot there are no enrolled keys");
	return 0;
}

/* With firmware= the loader is chosen at the start; a running guest's document has both. */
static int check_firmware(const struct vm_os *os, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct {
		bool given;
		const char *xml;
	} of[] = {
	    {os->loader_readonly, "loader/@readonly"},
	    {os->loader_secure, "loader/@secure"},
	    {os->loader_type, "loader/@type"},
	    {os->nvram_template, "nvram/@template"},
	};

	if (check_firmware_features(os, ctx, err) < 0)
		return -1;
	if (os->firmware == VM_FIRMWARE_BIOS &&
	    (os->nvram || os->nvram_template || os->loader_stateless == VM_SWITCH_OFF))
		return mt_error(ctx, os, os->nvram ? "nvram" : os->nvram_template ? "nvram/@template"
									  : "loader/@stateless",
				VM_BAD_INPUT, err, "only firmware='efi' keeps variables");
	if (os->loader)
		return 0;
	if (!os->firmware) {
		if (os->loader_stateless || of[0].given || of[1].given || of[2].given)
			return mt_error(ctx, os, "loader", VM_BAD_INPUT, err,
					"<loader> names no firmware");
		return 0;
	}
	for (size_t i = 0; i < VM_COUNT(of); i++)
		if (of[i].given)
			return mt_error(ctx, os, of[i].xml, VM_BAD_INPUT, err,
					"%s is only for a <loader> that is named; with firmware='%s' one "
					"is chosen",
					strchr(of[i].xml, '@') + 1,
					vm_word(vm_firmware_words, os->firmware));
	return 0;
}

static int check_os(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_os *os = obj;

	if (strcmp(os->type, "hvm") != 0)
		return mt_error(ctx, os, "type/#text", VM_UNSUPPORTED, err,
				"os type '%s' is not supported yet: only 'hvm' is", os->type);
	if (!os->kernel && (os->initrd || os->cmdline || os->dtb))
		return mt_error(ctx, os,
				os->initrd    ? "initrd"
				: os->cmdline ? "cmdline"
					      : "dtb",
				VM_BAD_INPUT, err, "without a <kernel> this has no effect");
	if (check_firmware(os, ctx, err) < 0)
		return -1;
	if ((os->nvram || os->nvram_template) && os->loader_type != VM_LOADER_PFLASH &&
	    !(os->firmware == VM_FIRMWARE_EFI && !os->loader))
		return mt_error(ctx, os, "nvram", VM_BAD_INPUT, err,
				"<nvram> needs <loader type='pflash'>");
	if ((os->nvram || os->nvram_template) && os->loader_stateless == VM_SWITCH_ON)
		return mt_error(ctx, os, "nvram", VM_BAD_INPUT, err,
				"a stateless loader has no <nvram>");
	return 0;
}
const struct mt_type vm_os_type = {
    .elem = "os",
    .size = sizeof(struct vm_os),
    .rows = os_rows,
    .n = VM_COUNT(os_rows),
    .check = check_os,
};

/* ---- features ---- */

static const char *const hyperv_mode_words[] = {"", "custom", "passthrough", NULL};
static const char *const ioapic_words[] = {"", "kvm", "qemu", NULL};

enum {
	HV_MODE,
	HV_RELAXED,
	HV_VAPIC,
	HV_SPINLOCKS,
	HV_RETRIES,
	HV_VPINDEX,
	HV_RUNTIME,
	HV_SYNIC,
	HV_STIMER,
	HV_STIMER_DIRECT,
	HV_RESET,
	HV_VENDOR_ID,
	HV_VENDOR_ID_VALUE,
	HV_FREQUENCIES,
	HV_REENLIGHTENMENT,
	HV_TLBFLUSH,
	HV_IPI,
	HV_EVMCS,
	HV_AVIC,
};
#define H(xml, member, bit)                                                                        \
	MT_ROW(struct vm_hyperv, xml, member, HV_##bit, MT_ENUM, .arg = vm_on_off_words)
/* Source: libvirt, formatdomain, hypervisor features: at least 4095. */
static const struct mt_range retries_range = {.min = 4095, .max = UINT32_MAX};
static const struct mt_row hyperv_rows[] = {
    MT_ROW(struct vm_hyperv, "@mode", mode, HV_MODE, MT_ENUM, .arg = hyperv_mode_words),
    H("relaxed/@state", relaxed, RELAXED),
    H("vapic/@state", vapic, VAPIC),
    H("spinlocks/@state", spinlocks, SPINLOCKS),
    MT_ROW(struct vm_hyperv, "spinlocks/@retries", spinlocks_retries, HV_RETRIES, MT_U64,
	   .arg = &retries_range),
    H("vpindex/@state", vpindex, VPINDEX),
    H("runtime/@state", runtime, RUNTIME),
    H("synic/@state", synic, SYNIC),
    H("stimer/@state", stimer, STIMER),
    H("stimer/direct/@state", stimer_direct, STIMER_DIRECT),
    H("reset/@state", reset, RESET),
    H("vendor_id/@state", vendor_id, VENDOR_ID),
    MT_ROW(struct vm_hyperv, "vendor_id/@value", vendor_id_value, HV_VENDOR_ID_VALUE, MT_STR),
    H("frequencies/@state", frequencies, FREQUENCIES),
    H("reenlightenment/@state", reenlightenment, REENLIGHTENMENT),
    H("tlbflush/@state", tlbflush, TLBFLUSH),
    H("ipi/@state", ipi, IPI),
    H("evmcs/@state", evmcs, EVMCS),
    H("avic/@state", avic, AVIC),
};

static int check_hyperv(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hyperv *h = obj;

	if (h->spinlocks == VM_SWITCH_ON && !h->spinlocks_retries)
		return mt_error(ctx, h, "spinlocks/@state", VM_BAD_INPUT, err,
				"<spinlocks> needs retries, at least 4095");
	if (h->vendor_id == VM_SWITCH_ON &&
	    (!h->vendor_id_value || strlen(h->vendor_id_value) > 12 ||
	     strchr(h->vendor_id_value, ',')))
		return mt_error(ctx, h, "vendor_id/@value", VM_BAD_INPUT, err,
				"<vendor_id> needs a value of 1-12 characters without comma");
	if (h->stimer_direct == VM_SWITCH_ON && h->stimer != VM_SWITCH_ON)
		return mt_error(ctx, h, "stimer/direct/@state", VM_BAD_INPUT, err,
				"<direct> needs <stimer state='on'>");
	return 0;
}
static const struct mt_type hyperv_type = {
    .elem = "hyperv",
    .size = sizeof(struct vm_hyperv),
    .rows = hyperv_rows,
    .n = VM_COUNT(hyperv_rows),
    .check = check_hyperv,
};

enum { KVM_HIDDEN, KVM_HINT, KVM_POLL, KVM_PV_IPI, KVM_RING, KVM_RING_SIZE };
#define K(xml, member, bit)                                                                        \
	MT_ROW(struct vm_kvm_features, xml, member, KVM_##bit, MT_ENUM, .arg = vm_on_off_words)
static const struct mt_range ring_range = {.min = 1024, .max = 65536};
static const struct mt_row kvm_rows[] = {
    K("hidden/@state", hidden, HIDDEN),
    K("hint-dedicated/@state", hint_dedicated, HINT),
    K("poll-control/@state", poll_control, POLL),
    K("pv-ipi/@state", pv_ipi, PV_IPI),
    K("dirty-ring/@state", dirty_ring, RING),
    MT_ROW(struct vm_kvm_features, "dirty-ring/@size", dirty_ring_size, KVM_RING_SIZE, MT_U64,
	   .arg = &ring_range),
};

static int check_kvm(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_kvm_features *k = obj;

	if (k->dirty_ring == VM_SWITCH_ON &&
	    (!k->dirty_ring_size || (k->dirty_ring_size & (k->dirty_ring_size - 1))))
		return mt_error(ctx, k, "dirty-ring/@state", VM_BAD_INPUT, err,
				"<dirty-ring> needs a size: a power of two from 1024 to 65536");
	return 0;
}
static const struct mt_type kvm_type = {
    .elem = "kvm",
    .size = sizeof(struct vm_kvm_features),
    .rows = kvm_rows,
    .n = VM_COUNT(kvm_rows),
    .check = check_kvm,
};

enum {
	F_ACPI,
	F_APIC,
	F_APIC_EOI,
	F_PAE,
	F_HAP,
	F_HAP_STATE,
	F_VIRIDIAN,
	F_PRIVNET,
	F_SMM_PRESENT,
	F_SMM,
	F_SMM_TSEG,
	F_VMPORT,
	F_PMU_PRESENT,
	F_PMU,
	F_PVSPINLOCK_PRESENT,
	F_PVSPINLOCK,
	F_VMCOREINFO_PRESENT,
	F_VMCOREINFO,
	F_IOAPIC,
	F_HYPERV,
	F_KVM,
};
#define F(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_features, xml, member, F_##bit, kind, __VA_ARGS__)
#define F_PRESENT(xml, member, bit) F(xml, member, bit, MT_BOOL, .flags = MT_PRESENT)
#define F_STATE(xml, member, bit)   F(xml "/@state", member, bit, MT_ENUM, .arg = vm_on_off_words)
static const struct mt_range tseg_range = {.max = UINT64_MAX, .unit = "MiB"};
static const struct mt_row features_rows[] = {
    F_PRESENT("pae", pae, PAE),
    F_PRESENT("acpi", acpi, ACPI),
    F_PRESENT("apic", apic, APIC),
    F("apic/@eoi", apic_eoi, APIC_EOI, MT_ENUM, .arg = vm_on_off_words),
    F_PRESENT("hap", hap, HAP),
    F_STATE("hap", hap_state, HAP_STATE),
    F_PRESENT("viridian", viridian, VIRIDIAN),
    F_PRESENT("privnet", privnet, PRIVNET),
    F("hyperv", hyperv, HYPERV, MT_ONE, .arg = &hyperv_type),
    F("kvm", kvm, KVM, MT_ONE, .arg = &kvm_type),
    F_PRESENT("pvspinlock", pvspinlock_present, PVSPINLOCK_PRESENT),
    F_STATE("pvspinlock", pvspinlock, PVSPINLOCK),
    F_PRESENT("pmu", pmu_present, PMU_PRESENT),
    F_STATE("pmu", pmu, PMU),
    F_STATE("vmport", vmport, VMPORT),
    F_PRESENT("smm", smm_present, SMM_PRESENT),
    F_STATE("smm", smm, SMM),
    F("smm/tseg/#text", smm_tseg, SMM_TSEG, MT_SIZE, .arg = &tseg_range),
    F("ioapic/@driver", ioapic, IOAPIC, MT_ENUM, .arg = ioapic_words),
    F_PRESENT("vmcoreinfo", vmcoreinfo_present, VMCOREINFO_PRESENT),
    F_STATE("vmcoreinfo", vmcoreinfo, VMCOREINFO),
};
void vm_features_enable_smm(struct vm_features *f)
{
	if (f->smm == VM_SWITCH_ON)
		return;
	f->smm = VM_SWITCH_ON;
	mt_assigned(&f->obj, F_SMM);
}

static int check_features(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_features *f = obj;

	if (f->smm_tseg % (1u << 20))
		return mt_error(ctx, f, "smm/tseg", VM_BAD_INPUT, err,
				"<tseg> is not a multiple of 1 MiB");
	if (f->smm == VM_SWITCH_OFF && f->smm_tseg)
		return mt_error(ctx, f, "smm/tseg", VM_BAD_INPUT, err,
				"<tseg> needs <smm state='on'>");
	return 0;
}
const struct mt_type vm_features_type = {
    .elem = "features",
    .size = sizeof(struct vm_features),
    .rows = features_rows,
    .n = VM_COUNT(features_rows),
    .check = check_features,
};

/* ---- cpu ---- */

const char *const vm_cpu_mode_words[] = {
    "", "custom", "host-model", "host-passthrough", "maximum", NULL,
};
const char *const vm_cpu_match_words[] = {"", "minimum", "exact", "strict", NULL};
const char *const vm_cpu_check_words[] = {"", "none", "partial", "full", NULL};
const char *const vm_cpu_fallback_words[] = {"", "allow", "forbid", NULL};
const char *const vm_cpu_policy_words[] = {
    "", "force", "require", "optional", "disable", "forbid", NULL,
};
const char *const vm_cpu_cache_mode_words[] = {"", "emulate", "passthrough", "disable", NULL};
const char *const vm_cpu_phys_mode_words[] = {"", "passthrough", "emulate", NULL};

static const struct mt_row feature_rows[] = {
    MT_ROW(struct vm_cpu_feature, "@policy", policy, 0, MT_ENUM, .arg = vm_cpu_policy_words,
	   .def = VM_CPU_REQUIRE),
    MT_ROW(struct vm_cpu_feature, "@name", name, 1, MT_STR, .flags = MT_REQUIRED | MT_KEY),
};
static const struct mt_type feature_type = {
    .elem = "feature",
    .size = sizeof(struct vm_cpu_feature),
    .rows = feature_rows,
    .n = VM_COUNT(feature_rows),
};

#define P(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_cpu, xml, member, VM_CPU_BIT_##bit, kind, __VA_ARGS__)
#define P_WORD(xml, member, bit, list) P(xml, member, bit, MT_ENUM, .arg = list)
#define P_COUNT(xml, member, bit)      P(xml, member, bit, MT_U64, .arg = &vm_positive_range)
static const struct mt_range level_range = {.min = 1, .max = 3};
static const struct mt_range bits_range = {.min = 1, .max = 64};
static const struct mt_row cpu_rows[] = {
    P_WORD("@mode", mode, MODE, vm_cpu_mode_words),
    P_WORD("@match", match, MATCH, vm_cpu_match_words),
    P_WORD("@check", check, CHECK, vm_cpu_check_words),
    P_WORD("@migratable", migratable, MIGRATABLE, vm_on_off_words),
    P("model/#text", model, MODEL, MT_STR),
    P_WORD("model/@fallback", fallback, FALLBACK, vm_cpu_fallback_words),
    P("model/@vendor_id", vendor_id, VENDOR_ID, MT_STR),
    P("vendor/#text", vendor, VENDOR, MT_STR),
    P_COUNT("topology/@sockets", sockets, SOCKETS),
    P_COUNT("topology/@dies", dies, DIES),
    P_COUNT("topology/@cores", cores, CORES),
    P_COUNT("topology/@threads", threads, THREADS),
    P("cache/@level", cache_level, CACHE_LEVEL, MT_U64, .arg = &level_range),
    P_WORD("cache/@mode", cache_mode, CACHE_MODE, vm_cpu_cache_mode_words),
    P_WORD("maxphysaddr/@mode", phys_mode, PHYS_MODE, vm_cpu_phys_mode_words),
    P("maxphysaddr/@bits", phys_bits, PHYS_BITS, MT_U64, .arg = &bits_range),
    P("maxphysaddr/@limit", phys_limit, PHYS_LIMIT, MT_U64, .arg = &bits_range),
    P("feature", features, FEATURES, MT_MANY, .arg = &feature_type),
    P("numa/cell", cells, CELLS, MT_MANY, .arg = &vm_numa_cell_type),
};

static int check_cpu_names(const struct vm_cpu *c, const struct mt_ctx *ctx, struct vm_err *err)
{
	/* A name goes into an option string of the hypervisor. */
	if (c->model && !vm_text_only(c->model, "-_."))
		return mt_error(ctx, c, "model/#text", VM_BAD_INPUT, err, "'%s' is no CPU model",
				c->model);
	if (c->vendor_id && (strlen(c->vendor_id) != 12 || strchr(c->vendor_id, ',')))
		return mt_error(ctx, c, "model/@vendor_id", VM_BAD_INPUT, err,
				"vendor_id must have exactly 12 characters and no comma");
	if (c->features.n > 1024)
		return mt_error(ctx, c->features.v[1024], NULL, VM_BAD_INPUT, err,
				"more than 1024 <feature>");
	for (uint32_t i = 0; i < c->features.n; i++) {
		const struct vm_cpu_feature *f = c->features.v[i];

		if (!vm_text_only(f->name, "-_."))
			return mt_error(ctx, f, "@name", VM_BAD_INPUT, err,
					"'%s' is no CPU feature", f->name);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(((const struct vm_cpu_feature *)c->features.v[j])->name,
				   f->name) == 0)
				return mt_error(ctx, f, "@name", VM_BAD_INPUT, err,
						"CPU feature '%s' is given twice", f->name);
	}
	return 0;
}

static int check_cpu(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_cpu *c = obj;
	bool whole = c->mode == VM_CPU_HOST_PASSTHROUGH || c->mode == VM_CPU_MAXIMUM;

	if (!c->model && (c->mode == VM_CPU_CUSTOM || c->match) && !whole &&
	    c->mode != VM_CPU_HOST_MODEL)
		return mt_error(ctx, c, NULL, VM_BAD_INPUT, err,
				"<cpu> of mode 'custom' needs a <model>");
	if (!c->model && !c->mode && c->features.n)
		return mt_error(ctx, c->features.v[0], NULL, VM_BAD_INPUT, err,
				"<feature> needs a <model> or a mode");
	if (!c->model && c->vendor && !c->mode)
		return mt_error(ctx, c, "vendor", VM_BAD_INPUT, err, "<vendor> needs a <model>");
	if (c->migratable && !whole)
		return mt_error(ctx, c, "@migratable", VM_BAD_INPUT, err,
				"attribute migratable is only for mode='host-passthrough' and "
				"mode='maximum'");
	if ((c->sockets || c->dies || c->cores || c->threads) &&
	    !(c->sockets && c->cores && c->threads))
		return mt_error(ctx, c, "topology", VM_BAD_INPUT, err,
				"<topology> needs sockets, cores and threads");
	if (c->cache_level && c->cache_mode && c->cache_mode != VM_CPU_CACHE_EMULATE)
		return mt_error(ctx, c, "cache/@level", VM_BAD_INPUT, err,
				"a cache level is only for mode='emulate'");
	if (c->phys_mode == VM_CPU_PHYS_PASSTHROUGH && c->phys_bits)
		return mt_error(ctx, c, "maxphysaddr/@bits", VM_BAD_INPUT, err,
				"attribute bits is only for mode='emulate'");
	if (c->phys_mode == VM_CPU_PHYS_EMULATE && !c->phys_bits)
		return mt_error(ctx, c, "maxphysaddr/@mode", VM_BAD_INPUT, err,
				"mode='emulate' needs bits");
	if (c->phys_mode == VM_CPU_PHYS_EMULATE && c->phys_limit)
		return mt_error(ctx, c, "maxphysaddr/@limit", VM_BAD_INPUT, err,
				"attribute limit is only for mode='passthrough'");
	return check_cpu_names(c, ctx, err);
}
const struct mt_type vm_cpu_type = {
    .elem = "cpu",
    .size = sizeof(struct vm_cpu),
    .rows = cpu_rows,
    .n = VM_COUNT(cpu_rows),
    .check = check_cpu,
};

/* ---- clock ---- */

const char *const vm_clock_offset_words[] = {
    "", "utc", "localtime", "variable", "timezone", "absolute", NULL,
};
const char *const vm_timer_name_words[] = {
    "", "!platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "!armvtimer", NULL,
};
const char *const vm_timer_tick_words[] = {"", "delay", "catchup", "merge", "discard", NULL};
const char *const vm_timer_track_words[] = {"", "boot", "guest", "wall", "realtime", NULL};
const char *const vm_timer_mode_words[] = {
    "", "auto", "native", "emulate", "paravirt", "smpsafe", NULL,
};
static const char *const basis_words[] = {"", "utc", "localtime", NULL};

enum {
	T_NAME,
	T_TICK,
	T_TRACK,
	T_MODE,
	T_PRESENT,
	T_FREQUENCY,
	T_THRESHOLD,
	T_SLEW,
	T_LIMIT,
};
#define T(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_timer, xml, member, T_##bit, kind, __VA_ARGS__)
static const struct mt_range hz_range = {.min = 1, .max = UINT64_MAX};
static const struct mt_row timer_rows[] = {
    T("@name", name, NAME, MT_ENUM, .flags = MT_REQUIRED | MT_KEY, .arg = vm_timer_name_words),
    T("@present", present, PRESENT, MT_ENUM, .arg = vm_yes_no_words),
    T("@tickpolicy", tick, TICK, MT_ENUM, .arg = vm_timer_tick_words),
    T("@track", track, TRACK, MT_ENUM, .arg = vm_timer_track_words),
    T("@frequency", frequency_hz, FREQUENCY, MT_U64, .arg = &hz_range),
    T("@mode", mode, MODE, MT_ENUM, .arg = vm_timer_mode_words),
    T("catchup/@threshold", catchup_threshold, THRESHOLD, MT_U64, .arg = &vm_positive_range),
    T("catchup/@slew", catchup_slew, SLEW, MT_U64, .arg = &vm_positive_range),
    T("catchup/@limit", catchup_limit, LIMIT, MT_U64, .arg = &vm_positive_range),
};

static int check_timer(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_timer *t = obj;

	if ((t->catchup_threshold || t->catchup_slew || t->catchup_limit) &&
	    t->tick != VM_TICK_CATCHUP)
		return mt_error(ctx, t, "catchup", VM_BAD_INPUT, err,
				"<catchup> is only for tickpolicy='catchup'");
	return 0;
}
static const struct mt_type timer_type = {
    .elem = "timer",
    .size = sizeof(struct vm_timer),
    .rows = timer_rows,
    .n = VM_COUNT(timer_rows),
    .check = check_timer,
};

enum {
	CLOCK_OFFSET,
	CLOCK_BASIS,
	CLOCK_ADJUSTMENT,
	CLOCK_TIMEZONE,
	CLOCK_START,
	CLOCK_TIMERS,
};
#define Q(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_clock, xml, member, CLOCK_##bit, kind, __VA_ARGS__)
static const struct mt_row clock_rows[] = {
    Q("@offset", offset, OFFSET, MT_ENUM, .arg = vm_clock_offset_words, .def = VM_CLOCK_UTC),
    Q("@adjustment", adjustment, ADJUSTMENT, MT_STR),
    Q("@basis", basis, BASIS, MT_ENUM, .arg = basis_words),
    Q("@timezone", timezone, TIMEZONE, MT_STR),
    Q("@start", start_s, START, MT_U64, .arg = NULL),
    Q("timer", timers, TIMERS, MT_MANY, .arg = &timer_type),
};

static bool is_seconds(const char *text)
{
	size_t digits;

	text += *text == '-' || *text == '+';
	digits = strspn(text, "0123456789");
	return digits > 0 && digits < 16 && !text[digits];
}

static int check_clock(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct vm_only table[] = {
	    {CLOCK_BASIS, "@basis", VM_ONE(VM_CLOCK_VARIABLE), "offset='variable'"},
	    {CLOCK_TIMEZONE, "@timezone", VM_ONE(VM_CLOCK_TIMEZONE), "offset='timezone'"},
	    {CLOCK_START, "@start", VM_ONE(VM_CLOCK_ABSOLUTE), "offset='absolute'"},
	};
	const struct vm_clock *c = obj;

	if (vm_check_only(ctx, &c->obj, table, VM_COUNT(table), c->offset, err) < 0)
		return -1;
	if (c->offset == VM_CLOCK_TIMEZONE && !c->timezone)
		return mt_error(ctx, c, "@offset", VM_BAD_INPUT, err,
				"offset='timezone' needs a timezone");
	if (c->offset == VM_CLOCK_ABSOLUTE && !mt_is_set(&c->obj, CLOCK_START))
		return mt_error(ctx, c, "@offset", VM_BAD_INPUT, err,
				"offset='absolute' needs start, in seconds since 1970");
	if (c->adjustment && strcmp(c->adjustment, "reset") != 0 && !is_seconds(c->adjustment))
		return mt_error(ctx, c, "@adjustment", VM_BAD_INPUT, err,
				"'%s' is neither a number of seconds nor 'reset'", c->adjustment);
	for (uint32_t i = 1; i < c->timers.n; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct vm_timer *a = c->timers.v[i], *b = c->timers.v[j];

			if (a->name == b->name)
				return mt_error(ctx, a, "@name", VM_BAD_INPUT, err,
						"timer '%s' is given twice",
						vm_word(vm_timer_name_words, a->name));
		}
	return 0;
}
const struct mt_type vm_clock_type = {
    .elem = "clock",
    .size = sizeof(struct vm_clock),
    .rows = clock_rows,
    .n = VM_COUNT(clock_rows),
    .check = check_clock,
};
