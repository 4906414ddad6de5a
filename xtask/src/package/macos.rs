//! Stand-ins for the frameworks of macOS, for the linker alone.
//!
//! Apple's own are part of an SDK that may only be used on a Mac. A linker needs of them no more
//! than where the library is on a Mac and the names that it has, which this lists. A name that a
//! dependency needs and that is not listed ends the build as an undefined symbol.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};

struct Library {
    /// Its path below the stand-ins.
    file: &'static str,
    /// Where it is on a Mac.
    path: &'static str,
    /// What programs call of it, without the underscore of the linker.
    names: &'static [&'static str],
}

const LIBRARIES: [Library; 4] = [
    // By `rustls-native-certs`, which reads the certificates that the system trusts.
    Library {
        file: "Security.framework/Security.tbd",
        path: "/System/Library/Frameworks/Security.framework/Versions/A/Security",
        names: &[
            "SecCertificateCopyData",
            "SecCopyErrorMessageString",
            "SecTrustSettingsCopyCertificates",
            "SecTrustSettingsCopyTrustSettings",
        ],
    },
    Library {
        file: "CoreFoundation.framework/CoreFoundation.tbd",
        path: "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
        names: &[
            "CFArrayCreate",
            "CFArrayGetCount",
            "CFArrayGetValueAtIndex",
            "CFDataGetBytePtr",
            "CFDataGetLength",
            "CFDictionaryGetValueIfPresent",
            "CFEqual",
            "CFNumberGetValue",
            "CFRelease",
            "CFRetain",
            "CFStringCreateWithBytesNoCopy",
            "CFStringGetBytes",
            "CFStringGetCStringPtr",
            "CFStringGetLength",
            "kCFAllocatorDefault",
            "kCFAllocatorNull",
            "kCFTypeArrayCallBacks",
        ],
    },
    // These two are linked by `ctrlc`'s dependencies, and nothing of them is called.
    Library {
        file: "Foundation.framework/Foundation.tbd",
        path: "/System/Library/Frameworks/Foundation.framework/Versions/C/Foundation",
        names: &[],
    },
    Library {
        file: "libobjc.tbd",
        path: "/usr/lib/libobjc.A.dylib",
        names: &[],
    },
];

/// Writes them to a directory that the linker searches for libraries and frameworks.
pub fn write_stubs(directory: &Path) -> Result<()> {
    for library in LIBRARIES {
        let path = directory.join(library.file);
        let failed = || format!("cannot write {}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(failed)?;
        }
        fs::write(&path, library.text()).with_context(failed)?;
    }
    Ok(())
}

impl Library {
    fn text(&self) -> String {
        const TARGETS: &str = "[ x86_64-macos, arm64-macos ]";
        let mut text = format!(
            "--- !tapi-tbd\ntbd-version: 4\ntargets: {TARGETS}\ninstall-name: '{}'\n",
            self.path
        );
        if !self.names.is_empty() {
            let names: Vec<String> = self.names.iter().map(|name| format!("_{name}")).collect();
            let _infallible = write!(
                text,
                "exports:\n  - targets: {TARGETS}\n    symbols: [ {} ]\n",
                names.join(", ")
            );
        }
        text + "...\n"
    }
}
