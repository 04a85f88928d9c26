"""The properties of config.txt: which the harness plays, and why the others have no effect here."""

from __future__ import annotations

PLAYED = frozenset(
    {
        "arm_64bit",
        "arm_control",
        "cmdline",
        "device_tree",
        "enable_uart",
        "kernel",
        "os_prefix",
        "overlay_prefix",
        "upstream_kernel",
    }
)
"""Properties that decide what the kernel gets; config_txt reads dtoverlay, dtparam, initramfs and include."""

_IRRELEVANT: dict[str, tuple[str, ...]] = {
    "the VideoCore's own firmware, which is not run": (
        "start_file", "fixup_file", "start_x", "start_debug", "start_cd", "bootcode_delay", "boot_delay*",
        "uart_2ndstage", "init_uart_*", "dtdebug", "sha256", "disable_splash", "logging_level", "avoid_warnings",
        "bootloader_update", "eeprom_write_protect", "os_check", "enable_tvout", "recovery_wait", "enable_uart_*",
        "force_eeprom_read", "disable_poe_fan", "disable_fw_kms_setup", "disable_commandline_tags",
    ),
    "memory of the VideoCore": ("gpu_mem*", "cma_*", "disable_l2cache", "enable_l2cache", "start_l2cache"),
    "clocks, voltages and temperatures": (
        "arm_freq*", "core_freq*", "gpu_freq*", "h264_freq*", "isp_freq*", "v3d_freq*", "hevc_freq*", "sdram_*",
        "over_voltage*", "force_turbo", "initial_turbo", "arm_boost", "temp_limit", "temp_soft_limit",
        "current_limit_override", "core_freq_fixed", "power_force_3v3_pwm", "usb_max_current_enable",
        "max_usb_current",
    ),
    "displays, cameras and sound, of which none is attached": (
        "hdmi_*", "sdtv_*", "overscan_*", "disable_overscan", "framebuffer_*", "max_framebuffer*", "display_*",
        "lcd_*", "dpi_*", "ignore_lcd", "disable_touchscreen", "touchscreen_*", "camera_auto_detect",
        "disable_camera_led", "edid_*", "edid_content_type", "audio_pwm_mode", "disable_audio_dither",
        "enable_audio_dither", "pwm_sample_bits", "config_hdmi_boost", "decode_*", "test_mode",
        "disable_pvt", "max_framebuffers", "bcm2708_fb*", "hvs_*",
    ),
    "where in memory things are put, which QEMU decides": (
        "kernel_address", "ramfsaddr", "device_tree_address", "device_tree_end", "arm_peri_high",
    ),
}  # fmt: skip
"""Why they cannot matter here -> properties; ``*`` at the end stands for any ending."""

_UNSUPPORTED = {
    "total_mem": "the memory is the board's in QEMU",
    "kernel_old": "the kernel is always put where Linux expects it",
    "armstub": "QEMU's own stub starts the processors",
    "enable_gic": "QEMU's board has one interrupt controller",
    "otg_mode": "QEMU has the DWC2 controller only",
    "gpio": "the pins are not set up",
    "boot_ramdisk": "boot.img is not read",
    "auto_initramfs": "only an initramfs that config.txt names is loaded",
    "enable_jtag_gpio": "there is no JTAG",
    "dtparams": "did you mean dtparam?",
    "dtoverlays": "did you mean dtoverlay?",
}
"""Properties that change what a real board does, and why they do nothing here."""


def effect(name: str) -> str | None:
    """Why a property outside of ``PLAYED`` has no effect, "" for an unknown one; None where that cannot matter."""
    plain = name.split(":")[0]
    for patterns in _IRRELEVANT.values():
        if any(plain == one or (one.endswith("*") and plain.startswith(one[:-1])) for one in patterns):
            return None
    return _UNSUPPORTED.get(plain, "")
