/* For tests under Wine 8 alone, which lacks this library of Windows. Rust's standard library takes
   its random numbers from it. */
#include <windows.h>

/* What advapi32 exports as RtlGenRandom. */
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    return SystemFunction036(data, (ULONG)length);
}
