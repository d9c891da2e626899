# From a loader's 32-bit entry, or an AP's real mode, to long mode with the first page tables.
# AT&T syntax. Sources: Xen's "PVH boot ABI", Multiboot2 specification 2.0 section 3, Intel SDM volume 3 section 10.8.5 (IA-32e initialisation).

.set BASE, 0xffffffff80000000

# ── Headers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
.section .boot.header, "a"
.balign 8
mb2_header:
    .long 0xe85250d6, 0, mb2_end - mb2_header, -(0xe85250d6 + (mb2_end - mb2_header))
.balign 8
    .short 1, 1                     # information request, optional: command line, modules, memory map, framebuffer, both RSDPs
    .long 8 + 6 * 4, 1, 3, 6, 8, 14, 15
.balign 8
    # Framebuffer, optional. GRUB takes any other size if it has not this one, but asked for none it picks 24-bit pixels.
    .short 5, 1
    .long 20, 1024, 768, 32
.balign 8
    .short 6, 0                     # modules begin on pages
    .long 8
.balign 8
    .short 0, 0
    .long 8
mb2_end:

.section .note.Xen, "a", @note
.balign 4
    .long 4, 8, 18                  # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad __pvh_entry

# ── First page tables: 4 GiB at 0 and in the direct map, the first 2 GiB at BASE ────────────────────────────────────
.section .boot.bss, "aw", @nobits
.balign 4096
.global __boot_pml4
__boot_pml4: .skip 4096
boot_pdpt:   .skip 4096
boot_high:   .skip 4096
boot_pds:    .skip 4096 * 4

# ── The bootstrap CPU ───────────────────────────────────────────────────────────────────────────────────────────────
.section .boot.text, "ax"
.code32
.global __pvh_entry, __multiboot2_entry
__pvh_entry:
    movl $1, %edi
    jmp start32
__multiboot2_entry:
    movl $2, %edi
    cmpl $0x36d76289, %eax
    je start32
    jmp unsupported
start32:
    cli
    cld
    movl %ebx, %esi

    movl $boot_pds + 0x3, %eax      # present, writable
    movl $boot_pdpt, %ebx
    movl $4, %ecx
1:  movl %eax, (%ebx)
    addl $4096, %eax
    addl $8, %ebx
    loop 1b
    movl $boot_pds + 0x3, boot_high + 510 * 8
    movl $boot_pds + 4096 + 0x3, boot_high + 511 * 8
    movl $0x83, %eax                # present, writable, 2 MiB
    movl $boot_pds, %ebx
    movl $2048, %ecx
1:  movl %eax, (%ebx)
    addl $0x200000, %eax
    addl $8, %ebx
    loop 1b
    movl $boot_pdpt + 0x3, __boot_pml4
    movl $boot_pdpt + 0x3, __boot_pml4 + 256 * 8
    movl $boot_high + 0x3, __boot_pml4 + 511 * 8

    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb unsupported
    movl $0x80000001, %eax
    cpuid
    andl $0x20100000, %edx          # long mode, no-execute
    cmpl $0x20100000, %edx
    jne unsupported
    lgdt boot_gdtr
    movl $start64, %ebp

# Long mode; %ebp says where to go, %edi and %esi stay.
enter_long:
    movl %cr4, %eax
    orl $0x20, %eax                 # PAE
    movl %eax, %cr4
    movl $__boot_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx          # EFER: LME, NXE
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    andl $0x9fffffff, %eax          # caches on (an AP comes with CD and NW set)
    orl $0x80010001, %eax           # PG, WP, PE
    movl %eax, %cr0
    ljmp $0x08, $long

# Not an x86-64 CPU with NX, or an unknown loader: says so on COM1 and stops.
unsupported:
    movl $message, %esi
1:  movb (%esi), %al
    testb %al, %al
    jz 2f
    movw $0x3f8, %dx
    outb %al, %dx
    incl %esi
    jmp 1b
2:  cli
    hlt
    jmp 2b
message: .asciz "Ochre needs a PVH or multiboot2 loader and an x86-64 CPU with no-execute pages.\r\n"

.code64
long:
    xorl %eax, %eax
    movl %eax, %ss
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %ebp, %ebp
    jmp *%rbp
start64:
    movabsq $__boot_stack_top, %rsp
    xorl %ebp, %ebp
    movl %edi, %edi
    movl %esi, %esi
    movabsq $__ochre_boot, %rax
    call *%rax
    ud2

# ── Other CPUs ──────────────────────────────────────────────────────────────────────────────────────────────────────
.code32
ap_start32:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %ss
    movl $ap_start64, %ebp
    jmp enter_long
.code64
ap_start64:
    movabsq $ap_high, %rax
    jmp *%rax

.balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff        # 0x08: 64-bit code
    .quad 0x00cf93000000ffff        # 0x10: data
    .quad 0x00cf9b000000ffff        # 0x18: 32-bit code
.balign 8
boot_gdtr:
    .short 31
    .long boot_gdt
    .long 0

# In the image's code proper, so that it stays mapped when the CPU goes over to the final page tables.
.section .text.ap_high, "ax"
.code64
ap_high:
    movq __ap_root(%rip), %rax
    movq %rax, %cr3
    movq __ap_stack(%rip), %rsp
    xorl %ebp, %ebp
    movq __ap_cpu(%rip), %rdi
    call __ochre_ap
    ud2

.section .data.ap, "aw"
.balign 8
.global __ap_root, __ap_stack, __ap_cpu
__ap_root:  .quad 0                 # page-table root (physical)
__ap_stack: .quad 0                 # stack top
__ap_cpu:   .quad 0                 # CPU number

# Copied to a page below 1 MiB; runs in real mode with CS:IP = page:0.
.section .rodata.ap, "a"
.global __trampoline_start, __trampoline_end
__trampoline_start:
.code16
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl ap_gdtr - __trampoline_start
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x18, $ap_start32
.balign 4
ap_gdtr:
    .short 31
    .long boot_gdt
__trampoline_end:
.code64

# ── The bootstrap CPU's stack, with a page below it that stays unmapped ─────────────────────────────────────────────
.section .bss.stack, "aw", @nobits
.balign 4096
.global __boot_guard, __boot_stack_top
__boot_guard: .skip 4096
    .skip 65536
__boot_stack_top:
.text
