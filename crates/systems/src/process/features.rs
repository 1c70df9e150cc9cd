//! What a request may ask: the features of Image API 2.1 at level 2 by go-iiif's names, with what a config enables,
//! disables and adds. `gray` is on, as level 2 wants it; go-iiif waits for a config to enable it.
//!
//! A feature is a name for values of one parameter, told by a regular expression. A value is allowed where a feature
//! that matches it is enabled.

use regex_lite::Regex;

use super::json::Object;

/// The parameters of a request, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    Region,
    Size,
    Rotation,
    Quality,
    Format,
}

impl Parameter {
    pub(super) const ALL: [Parameter; 5] =
        [Parameter::Region, Parameter::Size, Parameter::Rotation, Parameter::Quality, Parameter::Format];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Parameter::Region => "region",
            Parameter::Size => "size",
            Parameter::Rotation => "rotation",
            Parameter::Quality => "quality",
            Parameter::Format => "format",
        }
    }
}

#[derive(Debug, Clone)]
struct Feature {
    parameter: Parameter,
    name: String,
    pattern: Regex,
    enabled: bool,
}

/// The features of a config.
#[derive(Debug, Clone)]
pub struct Features(Vec<Feature>);

/// Parameter, name, pattern, and whether it is on unless a config says otherwise.
const LEVEL_2: [(Parameter, &str, &str, bool); 28] = {
    use Parameter::{Format, Quality, Region, Rotation, Size};
    [
        (Region, "full", "^full$", true),
        (Region, "regionByPx", r"^-?\d+,-?\d+,\d+,\d+$", true),
        (Region, "regionByPct", r"^pct:\d+(\.\d+)?,\d+(\.\d+)?,\d+(\.\d+)?,\d+(\.\d+)?$", true),
        (Region, "regionSquare", "^square$", true),
        (Size, "full", "^full$", true),
        (Size, "max", "^max$", true),
        (Size, "sizeByW", r"^\d+,$", true),
        (Size, "sizeByH", r"^,\d+$", true),
        (Size, "sizeByPct", r"^pct:\d+(\.\d+)?$", true),
        (Size, "sizeByConfinedWh", r"^!\d+,\d+$", true),
        (Size, "sizeByDistortedWh", r"^\d+,\d+$", true),
        (Size, "sizeByWh", r"^\d+,\d+$", true),
        (Rotation, "none", "^0$", true),
        (Rotation, "rotationBy90s", "^(90|180|270)$", true),
        (Rotation, "rotationArbitrary", r"^\d+(\.\d+)?$", true),
        (Rotation, "mirroring", r"^!\d+(\.\d+)?$", true),
        (Rotation, "noAutoRotate", "^-1$", true),
        (Quality, "default", "^default$", true),
        (Quality, "color", "^colou?r$", true),
        (Quality, "gray", "^gr[ae]y$", true),
        (Quality, "bitonal", "^bitonal$", true),
        (Format, "jpg", "^jpe?g$", true),
        (Format, "png", "^png$", true),
        (Format, "tif", "^tiff?$", false),
        (Format, "gif", "^gif$", false),
        (Format, "pdf", "^pdf$", false),
        (Format, "jp2", "^jp2$", false),
        (Format, "webp", "^webp$", false),
    ]
};

impl Features {
    /// What a config's `features` make of level 2.
    pub(super) fn read(features: &Object<'_>) -> Result<Self, String> {
        let mut all = Vec::new();
        for (parameter, name, pattern, enabled) in LEVEL_2 {
            let pattern = Regex::new(pattern).map_err(|error| format!("{pattern}: {error}"))?;
            all.push(Feature { parameter, name: name.to_owned(), pattern, enabled });
        }
        let mut all = Features(all);
        all.append(features.object("append")?)?;
        all.switch(features.object("enable")?, true)?;
        all.switch(features.object("disable")?, false)?;
        Ok(all)
    }

    fn append(&mut self, append: Object<'_>) -> Result<(), String> {
        for parameter in Parameter::ALL {
            for (name, details) in append.object(parameter.as_str())?.entries()? {
                details.text("syntax")?;
                details.boolean("required")?;
                let enabled = details.boolean("supported")?.unwrap_or(true);
                let at = details.path_of("match");
                let pattern = details.text("match")?;
                let pattern = pattern
                    .ok_or_else(|| format!("{at}: a regular expression is meant, and there is none"))?;
                let pattern = Regex::new(pattern).map_err(|error| format!("{at}: {error}"))?;
                self.0.retain(|feature| feature.parameter != parameter || feature.name != name);
                self.0.push(Feature { parameter, name: name.to_owned(), pattern, enabled });
                details.close();
            }
        }
        append.close();
        Ok(())
    }

    fn switch(&mut self, switch: Object<'_>, enabled: bool) -> Result<(), String> {
        for parameter in Parameter::ALL {
            for name in switch.texts(parameter.as_str())? {
                let of_parameter = self.0.iter_mut().filter(|feature| feature.parameter == parameter);
                let Some(feature) = of_parameter.into_iter().find(|feature| feature.name == name) else {
                    let known = self.names(parameter, |_| true).join(", ");
                    let path = switch.path_of(parameter.as_str());
                    return Err(format!("{path}: there is no feature {name:?}; there are {known}"));
                };
                feature.enabled = enabled;
            }
        }
        switch.close();
        Ok(())
    }

    /// Whether a value may be asked for; if not, which feature forbids it.
    pub(super) fn check(&self, parameter: Parameter, value: &str) -> Result<(), String> {
        let matching = || {
            self.0.iter().filter(|feature| feature.parameter == parameter && feature.pattern.is_match(value))
        };
        if matching().any(|feature| feature.enabled) {
            return Ok(());
        }
        let what = parameter.as_str();
        Err(match matching().next() {
            Some(feature) => format!(
                "{what} {value:?} needs the feature {}, which is not enabled; features.enable.{what} of the config can enable it",
                feature.name
            ),
            None => format!(
                "{what} {value:?} is no feature of {what}; enabled are {}, and features.append.{what} of the config can add others",
                self.enabled(parameter).join(", ")
            ),
        })
    }

    /// Names of what is enabled.
    pub(super) fn enabled(&self, parameter: Parameter) -> Vec<&str> {
        self.names(parameter, |feature| feature.enabled)
    }

    fn names(&self, parameter: Parameter, wanted: impl Fn(&Feature) -> bool) -> Vec<&str> {
        let of_parameter = self.0.iter().filter(|feature| feature.parameter == parameter);
        of_parameter.filter(|feature| wanted(feature)).map(|feature| feature.name.as_str()).collect()
    }
}
