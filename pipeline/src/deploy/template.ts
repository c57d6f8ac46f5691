import { type LaneTemplate, type Spec, templateOf } from '@headgate/rollout';
import { configMapsIn, podTemplateIn, type Rendered, type Rendering, renderAll } from './manifests.ts';

/**
 * What a lane of this app runs with: env and replicas of headgate.yaml and, on Kubernetes, the pod templates of the services' manifests. It
 * is part of the revision and travels with the order, so that who drives needs neither checkout nor kubectl.
 * @throws {HeadgateError} `TOOL_MISSING`, `MANIFESTS_INVALID`
 */
export async function renderTemplate(spec: Spec, rendering: Rendering, signal: AbortSignal): Promise<LaneTemplate> {
  return templateIn(spec, await renderAll(spec, rendering, signal));
}

/** The same of manifests that are rendered already. @throws {HeadgateError} `MANIFESTS_INVALID` */
export function templateIn(spec: Spec, rendered: Rendered): LaneTemplate {
  const services = Object.entries(templateOf(spec).services).map(([service, template]) => {
    const [objects, folder] = [rendered[service], spec.services[service]?.manifests];
    if (objects === undefined || folder === undefined) return [service, template] as const;
    const manifests = { service, folder, objects };
    const podTemplate = podTemplateIn(manifests);
    const configMaps = configMapsIn(manifests);
    const config = configMaps.length === 0 ? {} : { configMaps };
    return [service, { ...template, podTemplate, ...config }] as const;
  });
  return { services: Object.fromEntries(services) };
}
