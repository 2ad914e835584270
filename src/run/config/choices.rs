//! Settings that are one of a few words.

macro_rules! choices {
    ($(#[doc = $outer:literal])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $label:literal,)* }) => {
        $(#[doc = $outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[doc = $doc])* $variant,)* }

        impl $name {
            /// Every choice with its name in files and on the command line.
            pub const ALL: &'static [(&'static str, $name)] = &[$(($label, $name::$variant),)*];

            /// Its name.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $($name::$variant => $label,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.label()) }
        }
    };
}

pub(super) use choices;
