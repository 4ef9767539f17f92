package main

import "unsafe"

// pointer is for a system call's argument only.
func pointer(block *[128]byte) uintptr { return uintptr(unsafe.Pointer(block)) }
