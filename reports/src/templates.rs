//! The templates with their assets, and the one way to render them.

use std::sync::LazyLock;

use serde::Serialize;
use tera::{Context, Tera};

use crate::{ReportError, escape};

/// Every page's style sheet.
const STYLE: &str = include_str!("../assets/page.css");
/// The scripts of a run's page. They are one ES module, joined in this order, and see each other's
/// functions.
const RUN_SCRIPTS: [&str; 5] = [
    include_str!("../assets/page.js"),
    include_str!("../assets/data.js"),
    include_str!("../assets/plots.js"),
    include_str!("../assets/timeline.js"),
    include_str!("../assets/run.js"),
];
const CAMPAIGN_SCRIPTS: [&str; 2] =
    [include_str!("../assets/page.js"), include_str!("../assets/campaign.js")];
const UPLOT_SCRIPT: &str = include_str!("../assets/uplot/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("../assets/uplot/uPlot.min.css");
const UPLOT_LICENSE: &str = include_str!("../assets/uplot/LICENSE");

static TEMPLATES: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::new();
    tera.set_escape_fn(escape::write_html);
    tera.add_raw_templates([
        ("base.html", include_str!("../templates/base.html")),
        ("run.html", include_str!("../templates/run.html")),
        ("anomalies.html", include_str!("../templates/anomalies.html")),
        ("fault_row.html", include_str!("../templates/fault_row.html")),
        ("logs.html", include_str!("../templates/logs.html")),
        ("statistics.html", include_str!("../templates/statistics.html")),
        ("campaign.html", include_str!("../templates/campaign.html")),
    ])
    .expect("the templates are part of this crate and parse");
    tera
});

/// A run's page. `data` is a script element.
pub(crate) fn run(context: &impl Serialize, data: &str) -> Result<String, ReportError> {
    let mut context = Context::from_serialize(context)?;
    context.insert("style", &format!("{STYLE}{UPLOT_STYLE}"));
    context.insert("script", &RUN_SCRIPTS.join("\n"));
    context.insert("uplot", &format!("/*\n{UPLOT_LICENSE}*/\n{UPLOT_SCRIPT}"));
    context.insert("data", data);
    Ok(TEMPLATES.render("run.html", &context)?)
}

/// A campaign's page.
pub(crate) fn campaign(context: &impl Serialize) -> Result<String, ReportError> {
    let mut context = Context::from_serialize(context)?;
    context.insert("style", STYLE);
    context.insert("script", &CAMPAIGN_SCRIPTS.join("\n"));
    Ok(TEMPLATES.render("campaign.html", &context)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_stay_within_their_elements() {
        let scripts = [RUN_SCRIPTS.join("\n"), CAMPAIGN_SCRIPTS.join("\n")].concat();
        for asset in [&scripts, UPLOT_SCRIPT, UPLOT_LICENSE] {
            assert!(!asset.to_lowercase().contains("</script"));
        }
        for asset in [STYLE, UPLOT_STYLE] {
            assert!(!asset.to_lowercase().contains("</style"));
        }
    }
}
