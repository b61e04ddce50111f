extern "C" __attribute__((visibility("default"))) int assistant_abi_version(void) { return 1; }
