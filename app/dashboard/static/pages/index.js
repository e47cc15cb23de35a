// Which pages are there? By the first word of the address; `nav` is the entry of the navigation that they belong to.

import { showCompare } from "./compare.js";
import { showDataset } from "./dataset.js";
import { showDatasets } from "./datasets.js";
import { showDesign } from "./design.js";
import { showJob } from "./job.js";
import { showJobs } from "./jobs.js";
import { showModel, showModels } from "./models.js";

const byId = (list, one) => (content, place) => (place.rest[0] ? one(content, place.rest[0], place) : list(content, place));

export const pages = {
  datasets: { title: "Data sets", nav: "datasets", show: byId(showDatasets, showDataset) },
  design: { title: "Design", nav: "design", show: showDesign },
  compare: { title: "Compare", nav: "compare", show: showCompare },
  jobs: { title: "Jobs", nav: "jobs", show: byId(showJobs, showJob) },
  models: { title: "Models", nav: "models", show: byId(showModels, showModel) },
};
